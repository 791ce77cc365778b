//! The parts of decisions that stop to ask their caller: found here or in Postgres, wherever they were recorded, and
//! never twice under one number. Absent: what stands in them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use sqlx::query_builder::QueryBuilder;
use sqlx::sqlite::Sqlite;
use sqlx::{Postgres, Row as _, Transaction};
use uuid::Uuid;

use super::aside;
use super::central::{Central, select, stored};
use super::error::{StoreError, central, local};
use super::in_flight::KeyGuard;
use super::local::Local;
use super::row::{KeyHolder, Kind, Stored};
use super::whole::Store;

/// Parts that a decision may have; a flow asks for each of its needs once.
const MOST: i64 = 1000;

impl Local {
    async fn parts(&self, decision: Uuid) -> Result<Vec<Stored>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(&*self.select);
        query.push("e.decision_id = ").push_bind(decision);
        query.push(" AND e.kind = ").push_bind(Kind::Part.code()).push(" LIMIT ").push_bind(MOST);
        let rows =
            query.build().fetch_all(&self.reads).await.map_err(local("read the parts of a decision"))?;
        rows.iter().map(|row| self.stored(row)).collect()
    }

    /// Which of these are ids of decisions.
    async fn decided(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM entry WHERE kind = 0 AND id IN (");
        let mut listed = query.separated(", ");
        for id in ids {
            listed.push_bind(*id);
        }
        query.push(")");
        let attempt = "look for decisions";
        let found =
            query.build_query_scalar::<Uuid>().fetch_all(&self.reads).await.map_err(local(attempt))?;
        Ok(found.into_iter().collect())
    }
}

impl Central {
    async fn parts(&self, decision: Uuid) -> Result<Vec<Stored>, StoreError> {
        let attempt = "read the parts of a decision";
        let mut query = select(Kind::Part);
        query.push(" WHERE decision_id = ").push_bind(decision);
        query.push(" AND kind = ").push_bind(Kind::Part.code()).push(" LIMIT ").push_bind(MOST);
        let rows = self.ask(attempt, query.build().fetch_all(&self.pool)).await?;
        rows.iter().map(stored).collect::<Result<_, _>>().map_err(central(attempt))
    }

    async fn decided(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        let query = sqlx::query_scalar::<_, Uuid>(
            "SELECT decision_id FROM public.decision WHERE decision_id = ANY($1)",
        );
        let found = self.ask("look for decisions", query.bind(ids).fetch_all(&self.pool)).await?;
        Ok(found.into_iter().collect())
    }
}

impl Store {
    /// Waits for one's turn to go on with a decision; the guard must be kept until what comes of it was appended.
    pub async fn begin_part(&self, decision: Uuid) -> KeyGuard {
        // No caller and no flow has an empty name, so this is nobody's idempotency key.
        self.inner.in_flight.enter("", "", &decision.to_string()).await
    }

    /// Every part of a decision that is known here or in Postgres, in no order.
    ///
    /// # Errors
    /// When the local log cannot be read; or no part is here and Postgres is away.
    pub async fn parts(&self, decision: Uuid) -> Result<Vec<Stored>, StoreError> {
        let (local, central) = (Arc::clone(&self.inner.local), self.inner.central.clone());
        self.on_own_threads(async move {
            let own = local.parts(decision).await?;
            let Some(central) = central else { return Ok(own) };
            match central.parts(decision).await {
                // Of two nodes that went on at once Postgres has the first; its word counts.
                Ok(shared) => {
                    let mut all: BTreeMap<Uuid, Stored> = own.into_iter().map(|s| (s.row.id, s)).collect();
                    all.extend(shared.into_iter().map(|s| (s.row.id, s)));
                    Ok(all.into_values().collect())
                }
                Err(_) if !own.is_empty() => Ok(own),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Which of these are ids of recorded decisions, here or in Postgres while it is reachable.
    ///
    /// # Errors
    /// When the local log cannot be read.
    pub async fn decided(&self, ids: Vec<Uuid>) -> Result<HashSet<Uuid>, StoreError> {
        let (local, central) = (Arc::clone(&self.inner.local), self.inner.central.clone());
        self.on_own_threads(async move {
            let mut found = local.decided(&ids).await?;
            if let Some(central) = central {
                found.extend(central.decided(&ids).await.unwrap_or_default());
            }
            Ok(found)
        })
        .await
    }
}

/// Parts and their decisions that another node had sent before: two nodes went on with one decision at once, while
/// they could not see each other's log. These are kept as bytes, so that this node's log has no gap, and their
/// answers are not the decision's.
pub(super) async fn elsewhere(
    transaction: &mut Transaction<'_, Postgres>,
    node: Uuid,
    batch: &[Stored],
) -> Result<BTreeMap<i64, KeyHolder>, sqlx::Error> {
    let of_parts: Vec<&Stored> = batch.iter().filter(|stored| stored.row.decision.is_some()).collect();
    if of_parts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<Uuid> = of_parts.iter().map(|stored| stored.row.id).collect();
    let taken: HashSet<Uuid> = sqlx::query(
        "SELECT decision_id FROM public.decision WHERE decision_id = ANY($1) AND node <> $2
         UNION SELECT id FROM public.entry WHERE id = ANY($1) AND node <> $2",
    )
    .bind(&ids)
    .bind(node)
    .fetch_all(&mut **transaction)
    .await?
    .iter()
    .map(|row| row.try_get(0))
    .collect::<Result<_, _>>()?;
    let mut holders = BTreeMap::new();
    for stored in of_parts.into_iter().filter(|stored| taken.contains(&stored.row.id)) {
        sqlx::query(
            "INSERT INTO public.set_aside (id, node, position, reason, bytes) VALUES ($1, $2, $3, 'duplicate', $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(stored.row.id)
        .bind(node)
        .bind(stored.local)
        .bind(aside::write(stored))
        .execute(&mut **transaction)
        .await?;
        let decision_id = stored.row.stands_for();
        holders.insert(stored.local, KeyHolder { request_digest: [0; 32], decision_id });
    }
    Ok(holders)
}
