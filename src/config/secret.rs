//! An address of Postgres that can be shown without its password. Absent on purpose: any other way to show it.

use std::fmt;

/// `postgres://user:password@host/database`. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// # Errors
    /// When it is no address of Postgres; the message does not repeat it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self(text.to_owned()));
        }
        Err("must begin with `postgres://`".to_owned())
    }

    /// The whole address: for connecting, never for showing.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn has_password(&self) -> bool {
        self.0 != self.to_string() || self.0.to_ascii_lowercase().contains("password=")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, _query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let (scheme, rest) = address.split_once("://").unwrap_or(("postgres", ""));
        // The last `@`: a password may hold one.
        match rest.rsplit_once('@') {
            Some((user, host)) if user.contains(':') => {
                let name = user.split(':').next().unwrap_or_default();
                write!(f, "{scheme}://{name}:•••@{host}")
            }
            _ => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            ("postgres://tg:s3cret@db:5432/x", "postgres://tg:•••@db:5432/x"),
            ("postgres://tg:s3@cret@db/x?sslmode=require", "postgres://tg:•••@db/x"),
            ("postgresql://db/x?user=tg&password=s3cret", "postgresql://db/x"),
            ("postgres://tg@db/x", "postgres://tg@db/x"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("s3"), "{url:?}");
            assert_eq!(url.has_password(), text.contains("s3"), "{text}");
            assert_eq!(url.expose(), text);
        }
        assert!(!DatabaseUrl::parse("mysql://a:b3@c").unwrap_err().contains("b3"));
    }
}
