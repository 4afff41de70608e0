//! TEMPORARY STUB by the lead so that core compiles: its owner overwrites this file.
pub fn root_of(_:&[u8],_:u8)->Option<crate::trust::Root>{None}
