//! Who is calling, and what each role may do. Keys are 256 random bits, known here only by their SHA-256 and
//! compared in constant time. Absent on purpose: passwords, sessions, keys in addresses, and any log of a key.

use std::sync::{Arc, PoisonError, RwLock};

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::problem::{Code, Problem, quoted};
use crate::domain::value::Name;

/// Every key begins with this, so that leaked ones can be searched for.
pub const KEY_PREFIX: &str = "tgk_";

/// What a key was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Asks for decisions and reads its own.
    Caller,
    /// Writes flows: sees flows, revisions, models.
    Analyst,
    /// Reads every record, replays.
    Auditor,
    /// Approves releases.
    Approver,
    /// Runs the service.
    Operator,
}

impl Role {
    pub const ALL: &[Self] = &[Self::Caller, Self::Analyst, Self::Auditor, Self::Approver, Self::Operator];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Analyst => "analyst",
            Self::Auditor => "auditor",
            Self::Approver => "approver",
            Self::Operator => "operator",
        }
    }

    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.word() == word)
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// No key needed.
    Anyone,
    /// A key with one of these roles.
    Roles(&'static [Role]),
}

/// What a caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Roles(Arc<[Role]>),
    /// No key exists and only this machine can ask: everything.
    Unguarded,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    pub name: Name,
    pub standing: Standing,
    /// The flows that the key is limited to; `None` for all.
    pub flows: Option<Arc<[String]>>,
}

impl Asker {
    fn local() -> Self {
        Self { name: Name::from("local"), standing: Standing::Unguarded, flows: None }
    }

    fn unknown() -> Self {
        Self { name: Name::from("anyone"), standing: Standing::Roles(Arc::from([])), flows: None }
    }

    /// Whether only this asker's own decisions may be shown to it.
    #[must_use]
    pub fn sees_only_its_own(&self) -> bool {
        matches!(&self.standing, Standing::Roles(roles) if !roles.contains(&Role::Auditor))
    }

    #[must_use]
    pub fn may_use_flow(&self, flow: &str) -> bool {
        self.flows.as_ref().is_none_or(|flows| flows.iter().any(|f| f == flow))
    }

    /// # Errors
    /// `forbidden`, naming the flow.
    pub fn check_flow(&self, flow: &str) -> Result<(), Problem> {
        if self.may_use_flow(flow) {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden, format!("this key is not for the flow {}", quoted(flow))))
    }
}

/// A key as the ring knows it.
#[derive(Debug, Clone)]
pub struct RingEntry {
    pub sha256: [u8; 32],
    pub name: Name,
    pub roles: Arc<[Role]>,
    pub flows: Option<Arc<[String]>>,
    pub revoked: bool,
}

/// All keys, replaced as a whole when one is created or revoked.
#[derive(Debug, Default)]
pub struct KeyRing {
    entries: RwLock<Arc<[RingEntry]>>,
}

impl KeyRing {
    pub fn replace(&self, entries: Vec<RingEntry>) {
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = Arc::from(entries);
    }

    /// Revoked keys count: a ring whose last key was revoked stays closed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    fn entries(&self) -> Arc<[RingEntry]> {
        Arc::clone(&self.entries.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every entry is compared, so that the time taken says nothing about which one is near.
    fn find(&self, key: &str) -> Option<Asker> {
        let digest = key_digest(key);
        let entries = self.entries();
        let mut found = u64::MAX;
        for (index, entry) in (0_u64..).zip(entries.iter()) {
            let same = entry.sha256.ct_eq(&digest) & Choice::from(u8::from(!entry.revoked));
            found = u64::conditional_select(&found, &index, same);
        }
        let entry = entries.get(usize::try_from(found).ok()?)?;
        Some(Asker {
            name: entry.name.clone(),
            standing: Standing::Roles(Arc::clone(&entry.roles)),
            flows: entry.flows.clone(),
        })
    }

    /// Who sends this request, and whether that one may use a route of this permission.
    ///
    /// # Errors
    /// `unauthenticated` or `forbidden`.
    pub fn admit(&self, http: &HttpRequest, permission: Permission) -> Result<Asker, Problem> {
        if names_a_key(http.query_string()) {
            return Err(Problem::new(
                Code::Unauthenticated,
                "a key in the address is never read, for addresses end up in logs; \
                 revoke it, and send the next as `Authorization: Bearer KEY`",
            ));
        }
        let Permission::Roles(roles) = permission else {
            return Ok(Asker::unknown());
        };
        let asker = self.identify(http)?;
        match &asker.standing {
            Standing::Unguarded => Ok(asker),
            Standing::Roles(its) if its.iter().any(|role| roles.contains(role)) => Ok(asker),
            Standing::Roles(its) => Err(Problem::new(
                Code::Forbidden,
                format!("this key is for {}; the route is for {}", role_words(its), role_words(roles)),
            )),
        }
    }

    fn identify(&self, http: &HttpRequest) -> Result<Asker, Problem> {
        let Some(header) = http.headers().get(AUTHORIZATION) else {
            if self.is_empty() {
                return Ok(Asker::local());
            }
            return Err(Problem::new(
                Code::Unauthenticated,
                "send a key as `Authorization: Bearer KEY`; `tollgate keys create` makes one",
            ));
        };
        let key = header.to_str().ok().and_then(bearer).ok_or_else(|| {
            Problem::new(Code::Unauthenticated, "the header is not of the form `Authorization: Bearer KEY`")
        })?;
        self.find(key).ok_or_else(|| {
            Problem::new(
                Code::Unauthenticated,
                "this key is unknown or revoked; `tollgate keys list` shows all",
            )
        })
    }
}

fn role_words(roles: &[Role]) -> String {
    roles.iter().map(|role| format!("`{}`", role.word())).collect::<Vec<_>>().join(", ")
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

fn names_a_key(query: &str) -> bool {
    const NAMES: &[&str] =
        &["key", "api_key", "apikey", "api-key", "token", "access_token", "authorization", "bearer"];
    query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        value.starts_with(KEY_PREFIX) || NAMES.iter().any(|n| name.eq_ignore_ascii_case(n))
    })
}

/// What is stored of a key.
#[must_use]
pub fn key_digest(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// A new key: the prefix and 256 random bits.
///
/// # Errors
/// When the system has no randomness to give.
pub fn new_key() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{KEY_PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    const AUDIT: Permission = Permission::Roles(&[Role::Auditor]);

    fn ring(role: Role, revoked: bool) -> (KeyRing, String) {
        let key = new_key().unwrap();
        let ring = KeyRing::default();
        let other = RingEntry {
            sha256: key_digest("tgk_other"),
            name: "other".into(),
            roles: Arc::from([Role::Operator]),
            flows: None,
            revoked: false,
        };
        let mine = RingEntry {
            sha256: key_digest(&key),
            name: "mine".into(),
            roles: Arc::from([role]),
            flows: None,
            revoked,
        };
        ring.replace(vec![other, mine]);
        (ring, key)
    }

    fn with_header(value: &str) -> HttpRequest {
        TestRequest::default().insert_header((AUTHORIZATION, value)).to_http_request()
    }

    fn code(result: Result<Asker, Problem>) -> Code {
        result.unwrap_err().code()
    }

    #[test]
    fn a_key_gives_its_name_and_role() {
        let (ring, key) = ring(Role::Auditor, false);
        let asker = ring.admit(&with_header(&format!("bearer {key}")), AUDIT).unwrap();
        assert_eq!((&*asker.name, asker.standing), ("mine", Standing::Roles(Arc::from([Role::Auditor]))));
    }

    #[test]
    fn everything_else_is_refused() {
        let (ring, key) = ring(Role::Caller, false);
        let bare = TestRequest::default().to_http_request();
        assert_eq!(code(ring.admit(&bare, AUDIT)), Code::Unauthenticated);
        assert_eq!(code(ring.admit(&with_header("Bearer tgk_wrong"), AUDIT)), Code::Unauthenticated);
        assert_eq!(code(ring.admit(&with_header(&key), AUDIT)), Code::Unauthenticated);
        assert_eq!(code(ring.admit(&with_header(&format!("Basic {key}")), AUDIT)), Code::Unauthenticated);
        assert_eq!(code(ring.admit(&with_header(&format!("Bearer {key}")), AUDIT)), Code::Forbidden);
    }

    #[test]
    fn a_revoked_key_is_unknown_and_keeps_the_ring_closed() {
        let (ring, key) = ring(Role::Auditor, true);
        assert_eq!(code(ring.admit(&with_header(&format!("Bearer {key}")), AUDIT)), Code::Unauthenticated);
        assert!(!ring.is_empty());
    }

    #[test]
    fn an_empty_ring_lets_this_machine_do_everything_but_takes_no_made_up_key() {
        let ring = KeyRing::default();
        let asker = ring.admit(&TestRequest::default().to_http_request(), AUDIT).unwrap();
        assert_eq!((&*asker.name, asker.standing), ("local", Standing::Unguarded));
        assert_eq!(code(ring.admit(&with_header("Bearer tgk_x"), AUDIT)), Code::Unauthenticated);
    }

    #[test]
    fn a_key_in_the_address_is_refused_even_where_no_key_is_needed() {
        for query in ["key=x", "flow=a&API_KEY=x", "cursor=tgk_abc", "access_token=x"] {
            let http = TestRequest::with_uri(&format!("/livez?{query}")).to_http_request();
            assert_eq!(
                code(KeyRing::default().admit(&http, Permission::Anyone)),
                Code::Unauthenticated,
                "{query}"
            );
        }
    }

    #[test]
    fn a_key_for_some_flows_is_not_for_others() {
        let asker = Asker { flows: Some(Arc::from(["cards".to_owned()])), ..Asker::local() };
        assert!(asker.check_flow("cards").is_ok());
        assert_eq!(asker.check_flow("personal_loan").unwrap_err().code(), Code::Forbidden);
    }

    #[test]
    fn keys_are_long_and_differ() {
        let (a, b) = (new_key().unwrap(), new_key().unwrap());
        assert_eq!((a.len(), a.starts_with(KEY_PREFIX), a == b), (47, true, false));
    }
}
