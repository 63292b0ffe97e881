//! `lsns`: lists namespaces.
