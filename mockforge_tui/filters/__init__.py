"""The filter language: `proto:kafka topic:orders.* size>1k`, compiled to one Python function.

One language says what is shown, tailed, held and made to fail; guide/filters.md teaches it.
"""

from .compiler import Filter, compile_filter
from .completion import Suggestion, complete_filter
from .conditions import Asked, conditions, reduced, terms_about
from .fields import MESSAGES, Field, Subject, records
from .syntax import FilterError, quote

__all__ = [
    "MESSAGES",
    "Asked",
    "Field",
    "Filter",
    "FilterError",
    "Subject",
    "Suggestion",
    "compile_filter",
    "complete_filter",
    "conditions",
    "quote",
    "records",
    "reduced",
    "terms_about",
]
