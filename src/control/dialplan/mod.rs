//! The dialplan: one YAML file a hotline, read, checked, and run by one pure runner.

pub mod plan;
pub mod wish;
