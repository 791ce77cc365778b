//! Who is calling, and what each role may do. Keys are 256 random bits, known here only by their SHA-256 and
//! compared in constant time. Absent on purpose: passwords, sessions, keys in addresses, and any log of a key.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderValue};

use super::problem::{Code, Problem, quoted};
use crate::domain::value::Name;
use crate::store::{ApiKey, KEY_PREFIX, KeyRing, Role};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// No key needed.
    Anyone,
    /// A key with one of these roles.
    Roles(&'static [Role]),
    /// As `Roles`; nobody needs a key where the model doors are open.
    Models(&'static [Role]),
}

impl Permission {
    /// The roles of which one is needed; `None` where no key is.
    #[must_use]
    pub fn roles(self) -> Option<&'static [Role]> {
        match self {
            Self::Anyone => None,
            Self::Roles(roles) | Self::Models(roles) => Some(roles),
        }
    }
}

/// What an asker may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Key(Arc<ApiKey>),
    /// No key exists and only this machine can ask: everything.
    Unguarded,
    /// No key was asked for.
    Unknown,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    pub name: Name,
    pub standing: Standing,
}

impl Asker {
    fn local() -> Self {
        Self { name: Name::from("local"), standing: Standing::Unguarded }
    }

    fn unknown() -> Self {
        Self { name: Name::from("anyone"), standing: Standing::Unknown }
    }

    /// Whether only this asker's own decisions may be shown to it.
    #[must_use]
    pub fn sees_only_its_own(&self) -> bool {
        match &self.standing {
            Standing::Key(key) => !key.has(Role::Auditor),
            Standing::Unguarded => false,
            Standing::Unknown => true,
        }
    }

    #[must_use]
    pub fn may_use_flow(&self, flow: &str) -> bool {
        match &self.standing {
            Standing::Key(key) => key.may_use(flow),
            Standing::Unguarded => true,
            Standing::Unknown => false,
        }
    }

    /// Whether this asker may go on with a decision of another caller and this flow: only a key made for that flow by
    /// name may, so that callers who share a service cannot answer for each other.
    #[must_use]
    pub fn may_continue(&self, caller: &str, flow: &str) -> bool {
        match &self.standing {
            Standing::Key(key) => key.may_use(flow) && (*self.name == *caller || key.flows.is_some()),
            Standing::Unguarded => true,
            Standing::Unknown => false,
        }
    }

    /// Whether this asker may read a decision of this caller and flow; if not, it looks as if it did not exist.
    #[must_use]
    pub fn may_see(&self, caller: &str, flow: &str) -> bool {
        (!self.sees_only_its_own() || *caller == *self.name) && self.may_use_flow(flow)
    }

    /// Whether this asker has one of these roles.
    ///
    /// # Errors
    /// `forbidden`, naming the roles.
    pub fn check_roles(&self, roles: &[Role]) -> Result<(), Problem> {
        match &self.standing {
            Standing::Key(key) if !roles.iter().any(|role| key.has(*role)) => Err(Problem::new(
                Code::Forbidden,
                format!("this key is for {}; the route is for {}", role_words(&key.roles), role_words(roles)),
            )),
            _ => Ok(()),
        }
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

/// Who can reach the service at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only this machine: without any key it may do everything.
    Loopback,
    /// Other machines too: without a key nobody may do anything, not even once the last key is revoked.
    Beyond,
}

/// Who may ask models directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelDoors {
    /// As everywhere else.
    Keyed,
    /// Whoever can reach the address: the network decides.
    Open,
}

/// What stands at the door.
#[derive(Debug, Clone)]
pub struct Guard {
    pub ring: KeyRing,
    pub reach: Reach,
    pub model_doors: ModelDoors,
}

/// Who sends this request, and whether that one may use a route of this permission.
///
/// # Errors
/// `unauthenticated`, `forbidden`, and `starting` while the keys are not known.
pub fn admit(guard: Option<&Guard>, http: &HttpRequest, permission: Permission) -> Result<Asker, Problem> {
    if names_a_key(http.query_string()) {
        return Err(Problem::new(
            Code::Unauthenticated,
            "a key in the address is never read, for addresses end up in logs; \
             revoke it, and send the next as `Authorization: Bearer KEY`",
        ));
    }
    let credentials = Credentials {
        authorization: http.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes),
        host: http.headers().get(HOST).map(HeaderValue::as_bytes),
    };
    authorise(guard, &credentials, permission)
}

/// Whether whoever sends these credentials may do what this permission is for.
///
/// # Errors
/// As [`admit`].
pub fn authorise(
    guard: Option<&Guard>,
    credentials: &Credentials<'_>,
    permission: Permission,
) -> Result<Asker, Problem> {
    let Some(roles) = permission.roles() else { return Ok(Asker::unknown()) };
    let guard = guard.ok_or_else(Problem::starting)?;
    if matches!(permission, Permission::Models(_)) && guard.model_doors == ModelDoors::Open {
        return Ok(Asker::unknown());
    }
    let asker = identify(guard, credentials)?;
    asker.check_roles(roles)?;
    Ok(asker)
}

/// What a request says of who sends it, at either door.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a key")]
pub struct Credentials<'a> {
    /// `Authorization`, as it was sent.
    pub authorization: Option<&'a [u8]>,
    /// What the request is addressed to: `Host`, or HTTP/2's `:authority`.
    pub host: Option<&'a [u8]>,
}

/// Who sends a request with these credentials.
///
/// # Errors
/// `unauthenticated`; `forbidden` for what is not addressed to this machine while there are no keys.
pub fn identify(guard: &Guard, credentials: &Credentials<'_>) -> Result<Asker, Problem> {
    let Some(header) = credentials.authorization else {
        if guard.reach == Reach::Loopback && guard.ring.is_empty() {
            return if is_addressed_here(credentials.host) {
                Ok(Asker::local())
            } else {
                Err(Problem::new(
                    Code::Forbidden,
                    "without keys only requests to `localhost` or a loopback address are answered; \
                     `tollgate keys create` makes a key",
                ))
            };
        }
        return Err(Problem::new(
            Code::Unauthenticated,
            "send a key as `Authorization: Bearer KEY`; `tollgate keys create` makes one",
        ));
    };
    let key = std::str::from_utf8(header).ok().and_then(bearer).ok_or_else(|| {
        Problem::new(Code::Unauthenticated, "the header is not of the form `Authorization: Bearer KEY`")
    })?;
    let key = guard.ring.recognise(key).ok_or_else(|| {
        Problem::new(Code::Unauthenticated, "this key is unknown or revoked; `tollgate keys list` shows all")
    })?;
    Ok(Asker { name: Name::clone(&key.name), standing: Standing::Key(key) })
}

/// A page in a browser can have its own name point at this machine; what its requests are addressed to gives it away.
fn is_addressed_here(host: Option<&[u8]>) -> bool {
    let Some(host) = host else { return true };
    let host = std::str::from_utf8(host).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Keys;
    use actix_web::test::TestRequest;
    use tempfile::TempDir;

    const AUDIT: Permission = Permission::Roles(&[Role::Auditor]);

    async fn keys() -> (TempDir, Keys, Guard) {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path(), None).await.unwrap();
        let ring = KeyRing::open(keys.clone()).await.unwrap();
        (folder, keys, Guard { ring, reach: Reach::Loopback, model_doors: ModelDoors::Keyed })
    }

    fn with_header(value: &str) -> HttpRequest {
        TestRequest::default().insert_header((AUTHORIZATION, value)).to_http_request()
    }

    fn code(result: Result<Asker, Problem>) -> Code {
        result.unwrap_err().code()
    }

    #[tokio::test]
    async fn a_key_gives_its_name_and_what_it_may_do() {
        let (_folder, keys, guard) = keys().await;
        let flows = ["cards".to_owned()];
        let (auditor, _) = keys.create("eve", &[Role::Auditor], None).await.unwrap();
        let (caller, made) = keys.create("shop", &[Role::Caller], Some(&flows)).await.unwrap();
        guard.ring.refresh().await.unwrap();
        let asker = admit(Some(&guard), &with_header(&format!("bearer {auditor}")), AUDIT).unwrap();
        assert_eq!((&*asker.name, asker.sees_only_its_own()), ("eve", false));
        assert!(asker.check_flow("anything").is_ok());
        let calls = Permission::Roles(&[Role::Caller, Role::Auditor]);
        let asker = admit(Some(&guard), &with_header(&format!("Bearer {caller}")), calls).unwrap();
        assert!(asker.sees_only_its_own() && asker.check_flow("cards").is_ok());
        assert_eq!(asker.check_flow("personal_loan").unwrap_err().code(), Code::Forbidden);
        assert_eq!(
            code(admit(Some(&guard), &with_header(&format!("Bearer {caller}")), AUDIT)),
            Code::Forbidden
        );
        keys.revoke(&made.id).await.unwrap();
        guard.ring.refresh().await.unwrap();
        let revoked = admit(Some(&guard), &with_header(&format!("Bearer {caller}")), calls);
        assert_eq!(code(revoked), Code::Unauthenticated);
        let bare = TestRequest::default().to_http_request();
        for http in [bare, with_header("Bearer tg_wrong"), with_header(&auditor), with_header("Basic x")] {
            assert_eq!(code(admit(Some(&guard), &http, AUDIT)), Code::Unauthenticated);
        }
    }

    #[tokio::test]
    async fn an_empty_ring_lets_this_machine_do_everything_but_takes_no_made_up_key() {
        let (_folder, _keys, guard) = keys().await;
        let asker = admit(Some(&guard), &TestRequest::default().to_http_request(), AUDIT).unwrap();
        assert_eq!((&*asker.name, asker.standing), ("local", Standing::Unguarded));
        assert_eq!(code(admit(Some(&guard), &with_header("Bearer tg_x"), AUDIT)), Code::Unauthenticated);
        let beyond = Guard { reach: Reach::Beyond, ..guard };
        let bare = TestRequest::default().to_http_request();
        assert_eq!(code(admit(Some(&beyond), &bare, AUDIT)), Code::Unauthenticated);
        assert_eq!(code(admit(None, &TestRequest::default().to_http_request(), AUDIT)), Code::Starting);
    }

    #[actix_web::test]
    async fn without_keys_only_what_is_addressed_to_this_machine_is_let_in() {
        let (_folder, _keys, guard) = keys().await;
        let admitted = |host: &str| {
            let http = TestRequest::default().insert_header((HOST, host)).to_http_request();
            admit(Some(&guard), &http, AUDIT).is_ok()
        };
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.8.9.1", "[::1]:8080"] {
            assert!(admitted(host), "{host}");
        }
        for host in
            ["evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1:8080", "[::2]:1", ""]
        {
            assert!(!admitted(host), "{host}");
        }
    }

    #[test]
    fn a_key_in_the_address_is_refused_even_where_no_key_is_needed() {
        for query in ["key=x", "flow=a&API_KEY=x", "cursor=tg_abc", "access_token=x"] {
            let http = TestRequest::with_uri(&format!("/livez?{query}")).to_http_request();
            assert_eq!(code(admit(None, &http, Permission::Anyone)), Code::Unauthenticated, "{query}");
        }
    }
}
