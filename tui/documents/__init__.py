"""What the options and commands are to other programs: completions for shells, a page for `man`."""
