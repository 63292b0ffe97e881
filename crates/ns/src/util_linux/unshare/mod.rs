//! `unshare`: runs a program in new namespaces.
