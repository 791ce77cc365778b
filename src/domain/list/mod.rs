//! A fixed list: what stands in it, how two writings of one thing are folded, and until when an entry counts.

/// An allow or block list, ready to be asked.
#[derive(Debug, Default, PartialEq)]
pub struct List {}
