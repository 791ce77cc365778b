//! What proves a policy: how much of it its cases reach, and how much of it they would miss if it were wrong. Built
//! on flows and cases, and on nothing that runs a service. Absent on purpose: printing, progress bars and exit codes
//! (the command line's).

pub mod batch;
pub mod coverage;
mod evidence;
pub mod explain;
