//! What the fuzz targets share: where text comes into the program, and how a text is changed into one that
//! still has a chance to be understood.

pub mod entries;
pub mod mutation;
