"""Pure Python on top of a C extension."""
import piwdemo_cext

__version__ = "@VERSION@"


def saved(data):
    """How many bytes squeezing saves."""
    return len(data) - len(piwdemo_cext.squeeze(data))
