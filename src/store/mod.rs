//! Rows in, rows out: the local log (SQLite), the central one (Postgres), and the shipper between them.
//! The only room that knows sqlx. Absent: what a row's bodies say, who may read them.

mod aside;
mod central;
mod error;
mod in_flight;
mod insert;
mod keys;
mod local;
mod maintain;
mod parts;
mod query;
mod revisions;
mod row;
mod ship;
mod ship_insert;
mod space;
mod upkeep;
mod walk;
mod whole;
mod writer;

pub use central::migrate_database;
pub use error::{AppendError, OpenError, StoreError};
pub use in_flight::{InFlight, KeyGuard};
pub use keys::{ApiKey, KEY_PREFIX, KeyRing, Keys, Role, UnknownRole};
pub use local::{LOG_FILE, Local};
pub use maintain::RevisionFile;
pub use query::{PAGE_LIMIT, first_id};
pub use revisions::RevisionRow;
pub use row::{
    Durability, Filter, Hash, KEY_LIFE_US, KeyHolder, KeyRow, Kind, Position, Row, Stored, chain, elements,
    list,
};
pub use space::{REFUSE_PERCENT, WARN_PERCENT};
pub use walk::{Cut, LogReader};
pub use whole::{CentralHealth, Health, Store, StoreSettings};
pub use writer::{Appended, Queue, QueueLimits};
