//! What proves a policy: how much of it its cases reach, how much of it they would miss if it were wrong, whether what
//! it claims of all its answers is so, and cases at its boundaries. Built on flows and cases, and on nothing that runs
//! a service. Absent on purpose: printing, progress bars and exit codes (the command line's).

pub mod applicant;
pub mod axes;
pub mod batch;
pub mod boundaries;
pub mod coverage;
mod evidence;
pub mod explain;
mod marks;
pub mod mutation;
pub mod properties;
pub mod report;
pub mod what_if;
pub mod written;

#[cfg(test)]
mod tests;
