//! A whole log, in order, a page at a time: one node's local file, or every node's part of Postgres. For
//! verification and export; it never writes. Absent: judging what it reads.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use uuid::Uuid;

use super::aside;
use super::central::{select, stored};
use super::error::{OpenError, StoreError, central};
use super::local::{self, Local, postgres_options};
use super::row::{Hash, Kind, Stored};

const PAGE: i64 = 1000;

/// Where retention cut a log: the last entry that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    pub epoch: i64,
    pub sequence: i64,
    pub chain: Hash,
}

/// Reads a log from its beginning to its end.
#[derive(Debug)]
pub struct LogReader {
    source: Source,
    node: Uuid,
    /// Local: the position; Postgres: (epoch, sequence).
    after: (i64, i64),
}

#[derive(Debug)]
enum Source {
    Local(Box<Local>),
    Central(PgPool),
}

impl LogReader {
    /// # Errors
    /// When the folder has no log.
    pub async fn local(folder: &Path) -> Result<Self, OpenError> {
        let local = local::open_to_read(folder).await?;
        Ok(Self { node: local.node, source: Source::Local(Box::new(local)), after: (0, 0) })
    }

    /// # Errors
    /// When the address is none or the database is away.
    pub async fn central(url: &str) -> Result<Self, OpenError> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(postgres_options(url)?)
            .await
            .map_err(OpenError::Unreachable)?;
        Ok(Self { source: Source::Central(pool), node: Uuid::nil(), after: (0, 0) })
    }

    /// Every node that has entries here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn nodes(&self) -> Result<Vec<Uuid>, StoreError> {
        match &self.source {
            Source::Local(local) => Ok(vec![local.node]),
            Source::Central(pool) => sqlx::query_scalar("SELECT node FROM public.ship_cursor ORDER BY node")
                .fetch_all(pool)
                .await
                .map_err(central("list the nodes")),
        }
    }

    /// Where this node's log was cut here.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn cut(&self, _node: Uuid) -> Result<Option<Cut>, StoreError> {
        match &self.source {
            Source::Local(local) => Ok(local.cut().await?.map(|(_, position, chain)| Cut {
                epoch: position.epoch,
                sequence: position.sequence,
                chain,
            })),
            Source::Central(_) => Ok(None),
        }
    }

    /// Starts at the beginning of a node's log.
    pub fn begin(&mut self, node: Uuid) {
        (self.node, self.after) = (node, (0, 0));
    }

    /// The next entries in order; empty at the end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn next_page(&mut self) -> Result<Vec<Stored>, StoreError> {
        match &self.source {
            Source::Local(local) => {
                let page = local.walk(self.after.0, PAGE).await?;
                if let Some(last) = page.last() {
                    self.after.0 = last.local;
                }
                Ok(page)
            }
            Source::Central(pool) => {
                let decisions = self.part(pool, Kind::Decision).await?;
                let entries = self.part(pool, Kind::Refusal).await?;
                let mut page = merge(decisions, entries);
                let until =
                    if page.is_empty() { (i64::MAX, i64::MAX) } else { page.last().map_or((0, 0), place) };
                page.extend(self.aside(pool, until).await?);
                page.sort_by_key(place);
                if let Some(last) = page.last() {
                    self.after = place(last);
                }
                Ok(page)
            }
        }
    }

    /// Entries up to `until` that the tables did not take. They are few: all of a node's are read.
    async fn aside(&self, pool: &PgPool, until: (i64, i64)) -> Result<Vec<Stored>, StoreError> {
        let rows: Vec<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM public.set_aside WHERE node = $1")
            .bind(self.node)
            .fetch_all(pool)
            .await
            .map_err(central("read what was set aside"))?;
        let all = rows.iter().filter_map(|bytes| aside::read(bytes));
        Ok(all.filter(|stored| place(stored) > self.after && place(stored) <= until).collect())
    }

    /// The next entries of one table.
    async fn part(&self, pool: &PgPool, kind: Kind) -> Result<VecDeque<Stored>, StoreError> {
        let mut query = select(kind);
        query.push(" WHERE node = ").push_bind(self.node).push(" AND (epoch, sequence) > (");
        query.push_bind(self.after.0).push(", ").push_bind(self.after.1);
        query.push(") ORDER BY epoch, sequence LIMIT ").push_bind(PAGE);
        let rows = query.build().fetch_all(pool).await.map_err(central("walk the log"))?;
        rows.iter().map(stored).collect::<Result<_, _>>().map_err(central("walk the log"))
    }
}

fn place(stored: &Stored) -> (i64, i64) {
    (stored.position.epoch, stored.position.sequence)
}

/// Two pages in one order, as far as both are known: what lies behind the end of a full page may have others
/// before it that are not here yet.
fn merge(mut a: VecDeque<Stored>, mut b: VecDeque<Stored>) -> Vec<Stored> {
    let full = |page: &VecDeque<Stored>| i64::try_from(page.len()).is_ok_and(|len| len >= PAGE);
    let end = |page: &VecDeque<Stored>| page.back().filter(|_| full(page)).map(place);
    let until = [end(&a), end(&b)].into_iter().flatten().min();
    let mut merged = Vec::with_capacity(a.len().saturating_add(b.len()));
    loop {
        let from_a = match (a.front(), b.front()) {
            (None, None) => break,
            (Some(x), Some(y)) => place(x) < place(y),
            (Some(_), None) => true,
            (None, Some(_)) => false,
        };
        let Some(next) = (if from_a { a.pop_front() } else { b.pop_front() }) else { break };
        if until.is_some_and(|until| place(&next) > until) {
            break;
        }
        merged.push(next);
    }
    merged
}
