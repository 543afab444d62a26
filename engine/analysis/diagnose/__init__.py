"""Why two traces differ: causes are tried one by one by editing ours, and that which closes the gap is named.

`case` has what is known around the first stage that is apart, `causes` what may be the cause, `edit` does the same in our run,
`diagnose` searches, `text` writes it down.
"""

from .diagnose import Cause, Diagnosis, diagnose
from .text import verdict_of, write_diagnosis

__all__ = ["Cause", "Diagnosis", "diagnose", "verdict_of", "write_diagnosis"]
