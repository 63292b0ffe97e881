//! `nsenter`: runs a program in namespaces that exist.
