"""Context-free grammars: strings as sequences of rules, and masks by which every sequence is that of a string."""

from .codec import StringCodec as StringCodec
from .derivations import Derivations as Derivations
from .expressions import EXPRESSIONS as EXPRESSIONS
from .grammar import Grammar as Grammar
from .molecules import MOLECULES as MOLECULES
from .parser import NotInGrammar as NotInGrammar
from .parser import parse as parse
