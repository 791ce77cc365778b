//! Tests of mutation.
