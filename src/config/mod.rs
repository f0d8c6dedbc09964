//! The configuration: arguments and files become one checked [`Config`], or a list of problems that say how to mend them.

pub mod problem;
pub mod toml_file;
