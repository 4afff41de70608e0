//! Whether requests find the rule that they should, and only that.
