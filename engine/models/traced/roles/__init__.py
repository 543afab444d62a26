"""What the values of somebody's module are, told from the data flow: which are scores, which a feed-forward's, which nobody knows."""

from .roles import FusedAttention as FusedAttention
from .roles import HeadStack as HeadStack
from .roles import Roles as Roles
from .roles import roles_of as roles_of
