//! Files of rows on the sample flows.

use super::*;
