"""A package that was made for something that is not there."""

import a_library_that_nobody_has  # noqa: F401
