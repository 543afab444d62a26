"""What differs, where and why, as one file to be shown to others: HTML for a pull request, Markdown for a forge, JSON for a program.

`report` is what is told, `picture` the numbers around the first difference, `as_html`, `as_markdown` and `as_json` write it, `saving`
chooses by the file's ending. `report.schema.json` is the schema of the JSON.
"""
