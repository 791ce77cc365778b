//! Reads of the local log: one entry by id, a page of a search, a walk in order. Absent: offsets and counts; a
//! page goes on from the last id that was seen.

use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite};
use uuid::Uuid;

use super::error::{StoreError, local};
use super::local::{Local, hash};
use super::row::{Durability, Filter, Hash, KeyRow, Kind, Position, Row, Stored, UNIT_SEPARATOR};

/// The most that one page holds.
pub const PAGE_LIMIT: u32 = 1000;

pub(super) const SELECT: &str = "SELECT e.position, e.kind, e.id, e.epoch, e.sequence, e.at_us, e.recorded_us, e.caller, \
     e.flow, e.market, e.outcome, e.reasons, e.rules, e.models, e.reference, e.subject, e.revision, e.degraded, \
     e.durable, e.commitment, e.leaf, e.previous, b.public, b.personal, b.salt, e.key, e.request_digest, e.chain, e.decision_id \
     FROM entry e JOIN body b ON b.position = e.position WHERE ";

/// One thing that a filter asks of an entry, whichever database answers.
pub(super) enum Condition<'a> {
    Text(&'static str, &'a str),
    /// A list column has this element.
    Element(&'static str, &'a str),
    Subject(&'a [Vec<u8>]),
    Degraded(bool),
    From(i64),
    To(i64),
    /// Ids from this one on.
    IdFrom(Uuid),
    /// Ids before this one.
    IdBefore(Uuid),
}

impl Filter {
    pub(super) fn conditions(&self) -> Vec<Condition<'_>> {
        let texts = [
            ("caller", &self.caller),
            ("flow", &self.flow),
            ("market", &self.market),
            ("outcome", &self.outcome),
            ("reference", &self.reference),
            ("revision", &self.revision),
        ];
        let lists = [("reasons", &self.reason), ("rules", &self.rule), ("models", &self.model)];
        let mut all: Vec<Condition<'_>> = texts
            .into_iter()
            .filter_map(|(column, value)| Some(Condition::Text(column, value.as_deref()?)))
            .chain(
                lists
                    .into_iter()
                    .filter_map(|(column, value)| Some(Condition::Element(column, value.as_deref()?))),
            )
            .collect();
        all.extend(self.subject.as_deref().map(Condition::Subject));
        all.extend(self.degraded.map(Condition::Degraded));
        all.extend(self.before.map(Condition::IdBefore));
        if let Some(from) = self.from_us {
            all.push(Condition::From(from));
            all.push(Condition::IdFrom(first_id(from.saturating_sub(ID_SLACK_US))));
        }
        if let Some(to) = self.to_us {
            all.push(Condition::To(to));
            all.push(Condition::IdBefore(first_id(to.saturating_add(ID_SLACK_US))));
        }
        all
    }

    pub(super) fn page(&self) -> i64 {
        i64::from(self.limit.clamp(1, PAGE_LIMIT))
    }
}

/// How far the time in an id may lie from the time of its entry: ids only narrow the range that is looked at.
const ID_SLACK_US: i64 = 60_000_000;

/// The smallest UUIDv7 of a time.
#[must_use]
pub fn first_id(at_us: i64) -> Uuid {
    let ms = u128::try_from(at_us.max(0) / 1000).unwrap_or_default() & 0xffff_ffff_ffff;
    Uuid::from_u128((ms << 80) | (7 << 76) | (0b10 << 62))
}

impl Local {
    /// One entry, whatever its kind.
    pub async fn get(&self, id: Uuid) -> Result<Option<Stored>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(&*self.select);
        query.push("e.id = ").push_bind(id);
        let row = query.build().fetch_optional(&self.reads).await.map_err(local("read an entry"))?;
        row.map(|row| self.stored(&row)).transpose()
    }

    /// A page of entries of one kind, newest first; only those behind `after` in the file if that is given.
    pub async fn search(
        &self,
        kind: Kind,
        filter: &Filter,
        after: Option<i64>,
    ) -> Result<Vec<Stored>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(&*self.select);
        query.push("e.kind = ").push_bind(kind.code());
        if let Some(after) = after {
            query.push(" AND e.position > ").push_bind(after);
        }
        for condition in filter.conditions() {
            push(&mut query, &condition);
        }
        query.push(" ORDER BY e.id DESC LIMIT ").push_bind(filter.page());
        let rows = query.build().fetch_all(&self.reads).await.map_err(local("search"))?;
        rows.iter().map(|row| self.stored(row)).collect()
    }

    /// The next entries in the order of the file, any kind.
    pub async fn walk(&self, after: i64, limit: i64) -> Result<Vec<Stored>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(&*self.select);
        query.push("e.position > ").push_bind(after);
        query.push(" ORDER BY e.position LIMIT ").push_bind(limit);
        let rows = query.build().fetch_all(&self.reads).await.map_err(local("walk the log"))?;
        rows.iter().map(|row| self.stored(row)).collect()
    }

    /// Where retention last cut the log: position and place of the last entry removed, and its chain hash.
    pub async fn cut(&self) -> Result<Option<(i64, Position, Hash)>, StoreError> {
        let row =
            sqlx::query("SELECT position, epoch, sequence, chain FROM cut ORDER BY position DESC LIMIT 1")
                .fetch_optional(&self.reads)
                .await
                .map_err(local("read the cut"))?;
        let Some(row) = row else { return Ok(None) };
        let read = || {
            let position = Position {
                node: self.node,
                epoch: row.try_get(1)?,
                sequence: row.try_get(2)?,
                recorded_us: 0,
            };
            Ok((row.try_get(0)?, position, hash(row.try_get(3)?)?))
        };
        read().map(Some).map_err(local("read the cut"))
    }

    pub(super) fn stored(&self, row: &SqliteRow) -> Result<Stored, StoreError> {
        self.try_stored(row).map_err(local("read an entry"))?.ok_or(StoreError::Unreadable("unknown kind"))
    }

    fn try_stored(&self, row: &SqliteRow) -> Result<Option<Stored>, sqlx::Error> {
        let (Some(kind), Some(durable)) =
            (Kind::from_code(row.try_get(1)?), Durability::from_code(row.try_get(18)?))
        else {
            return Ok(None);
        };
        let salt: Option<Vec<u8>> = row.try_get(24)?;
        let mut entry = Row {
            kind,
            durable,
            id: row.try_get(2)?,
            at_us: row.try_get(5)?,
            caller: row.try_get(7)?,
            flow: row.try_get(8)?,
            market: row.try_get(9)?,
            outcome: row.try_get(10)?,
            reasons: row.try_get(11)?,
            rules: row.try_get(12)?,
            models: row.try_get(13)?,
            reference: row.try_get(14)?,
            subject: row.try_get::<Option<Vec<u8>>, _>(15)?.map(Into::into),
            revision: row.try_get(16)?,
            degraded: row.try_get(17)?,
            commitment: hash(row.try_get(19)?)?,
            leaf: hash(row.try_get(20)?)?,
            public: row.try_get(22)?,
            personal: row.try_get(23)?,
            salt: salt.and_then(|salt| salt.try_into().ok()),
            key: None,
            decision: row.try_get(28)?,
        };
        let (key, request): (Option<std::sync::Arc<str>>, Option<&[u8]>) =
            (row.try_get(25)?, row.try_get(26)?);
        if let (Some(caller), Some(flow), Some(key), Some(request)) =
            (entry.caller.clone(), entry.flow.clone(), key, request)
        {
            entry.key = Some(KeyRow { caller, flow, key, request_digest: hash(request)? });
        }
        let position = Position {
            node: self.node,
            epoch: row.try_get(3)?,
            sequence: row.try_get(4)?,
            recorded_us: row.try_get(6)?,
        };
        let previous = hash(row.try_get(21)?)?;
        Ok(Some(Stored {
            row: entry,
            position,
            previous,
            chain: hash(row.try_get(27)?)?,
            duplicate_of: None,
            local: row.try_get(0)?,
        }))
    }
}

fn push(query: &mut QueryBuilder<Sqlite>, condition: &Condition<'_>) {
    match condition {
        Condition::Text(column, value) => {
            query.push(" AND e.").push(*column).push(" = ").push_bind((*value).to_owned());
        }
        Condition::Element(column, value) => {
            let element = format!("{UNIT_SEPARATOR}{value}{UNIT_SEPARATOR}");
            query.push(" AND instr(e.").push(*column).push(", ").push_bind(element).push(") > 0");
        }
        Condition::Subject(hashes) => {
            query.push(" AND e.subject IN (");
            let mut list = query.separated(", ");
            for hash in *hashes {
                list.push_bind(hash.clone());
            }
            query.push(")");
        }
        Condition::Degraded(degraded) => {
            query.push(" AND e.degraded = ").push_bind(*degraded);
        }
        Condition::From(at) => {
            query.push(" AND e.at_us >= ").push_bind(*at);
        }
        Condition::To(at) => {
            query.push(" AND e.at_us < ").push_bind(*at);
        }
        Condition::IdFrom(id) => {
            query.push(" AND e.id >= ").push_bind(*id);
        }
        Condition::IdBefore(id) => {
            query.push(" AND e.id < ").push_bind(*id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_id_of_a_time_sorts_before_every_other_id_of_it() {
        let at_us = 1_795_000_000_123_456;
        let ts = uuid::Timestamp::from_unix(uuid::NoContext, 1_795_000_000, 123_000_000);
        let id = Uuid::new_v7(ts);
        assert!(first_id(at_us) <= id);
        assert!(first_id(at_us + 1000) > id);
    }
}
