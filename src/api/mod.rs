//! The /v1 API, one file a resource.
