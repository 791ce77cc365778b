//! Universal Binary JSON, as XGBoost writes it, into whatever serde fills: objects, arrays (typed and counted ones too),
//! numbers, text, booleans. Every length is held to the bytes that are there, and nesting to a depth; no value is made
//! before its bytes were seen. Absent: writing, and high-precision numbers.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Most levels of objects and arrays in each other.
const MAX_DEPTH: u8 = 32;

/// Why bytes are not UBJSON of the expected shape, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UbjError {
    #[error("it ends too early, at byte {at}: was it written or copied whole?")]
    Ends { at: usize },
    #[error("byte {at} is no type of UBJSON")]
    Marker { at: usize },
    #[error("byte {at} gives a length below 0, or one beyond the end of the file")]
    Length { at: usize },
    #[error("text at byte {at} is not UTF-8")]
    Text { at: usize },
    #[error("it is nested deeper than {MAX_DEPTH} levels at byte {at}")]
    Depth { at: usize },
    #[error("after the model, at byte {at}, comes something else")]
    Trailing { at: usize },
    #[error("{0}")]
    Shape(String),
}

impl de::Error for UbjError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Shape(message.to_string())
    }
}

/// Reads all of `bytes` as one value.
pub(super) fn read<'de, T: de::Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, UbjError> {
    let mut reader = Reader { bytes, at: 0, depth: 0 };
    let value = T::deserialize(Value { reader: &mut reader, marker: None })?;
    match reader.at {
        at if at == bytes.len() => Ok(value),
        at => Err(UbjError::Trailing { at }),
    }
}

struct Reader<'de> {
    bytes: &'de [u8],
    at: usize,
    depth: u8,
}

impl<'de> Reader<'de> {
    fn take(&mut self, count: usize) -> Result<&'de [u8], UbjError> {
        let ends = UbjError::Ends { at: self.bytes.len() };
        let end = self.at.checked_add(count).ok_or(ends.clone())?;
        let taken = self.bytes.get(self.at..end).ok_or(ends)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], UbjError> {
        let ends = UbjError::Ends { at: self.bytes.len() };
        self.take(N)?.try_into().map_err(|_| ends)
    }

    fn marker(&mut self) -> Result<u8, UbjError> {
        loop {
            // `N` is padding between values.
            match self.array::<1>()? {
                [b'N'] => {}
                [marker] => return Ok(marker),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn integer(&mut self, marker: u8) -> Result<Option<i64>, UbjError> {
        Ok(Some(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(u8::from_be_bytes(self.array()?)),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Ok(None),
        }))
    }

    /// A length: no more than the bytes that are left, since every element but nothing takes one.
    fn length(&mut self) -> Result<usize, UbjError> {
        let at = self.at;
        let marker = self.marker()?;
        let length = self.integer(marker)?.ok_or(UbjError::Length { at })?;
        let left = self.bytes.len() - self.at;
        usize::try_from(length).ok().filter(|length| *length <= left).ok_or(UbjError::Length { at })
    }

    fn text(&mut self) -> Result<&'de str, UbjError> {
        let length = self.length()?;
        let at = self.at;
        std::str::from_utf8(self.take(length)?).map_err(|_| UbjError::Text { at })
    }

    /// What stands between the bracket and the first element: `$type` and `#count`.
    fn container(&mut self) -> Result<Container, UbjError> {
        let at = self.at;
        let mut container = Container { of: None, left: None };
        if self.peek() == Some(b'$') {
            self.at += 1;
            let [of] = self.array()?;
            // A type without bytes would make any count possible.
            if !matches!(of, b'i' | b'U' | b'I' | b'l' | b'L' | b'd' | b'D' | b'C' | b'S' | b'[' | b'{') {
                return Err(UbjError::Marker { at: at + 1 });
            }
            container.of = Some(of);
        }
        if self.peek() == Some(b'#') {
            self.at += 1;
            container.left = Some(self.length()?);
        } else if container.of.is_some() {
            return Err(UbjError::Marker { at: self.at });
        }
        Ok(container)
    }
}

/// An array or object on its way.
struct Container {
    of: Option<u8>,
    /// Elements to come; `None` when an end mark says so.
    left: Option<usize>,
}

struct Value<'r, 'de> {
    reader: &'r mut Reader<'de>,
    /// When the type was said before.
    marker: Option<u8>,
}

impl<'de> Deserializer<'de> for Value<'_, 'de> {
    type Error = UbjError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, UbjError> {
        let reader = self.reader;
        let at = reader.at;
        let marker = match self.marker {
            Some(marker) => marker,
            None => reader.marker()?,
        };
        if let Some(integer) = reader.integer(marker)? {
            return visitor.visit_i64(integer);
        }
        match marker {
            b'Z' => visitor.visit_unit(),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'd' => visitor.visit_f32(f32::from_be_bytes(reader.array()?)),
            b'D' => visitor.visit_f64(f64::from_be_bytes(reader.array()?)),
            b'C' => visitor.visit_char(char::from(u8::from_be_bytes(reader.array()?))),
            b'S' => visitor.visit_borrowed_str(reader.text()?),
            b'[' | b'{' => {
                reader.depth += 1;
                if reader.depth > MAX_DEPTH {
                    return Err(UbjError::Depth { at });
                }
                let container = reader.container()?;
                let value = if marker == b'[' {
                    visitor.visit_seq(Elements { reader, container })?
                } else {
                    visitor.visit_map(Elements { reader, container })?
                };
                Ok(value)
            }
            _ => Err(UbjError::Marker { at }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, UbjError> {
        if self.marker.is_none() && self.reader.peek() == Some(b'Z') {
            self.reader.at += 1;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, UbjError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

struct Elements<'r, 'de> {
    reader: &'r mut Reader<'de>,
    container: Container,
}

impl Elements<'_, '_> {
    /// Whether another element comes.
    fn next(&mut self, end: u8) -> Result<bool, UbjError> {
        let more = match &mut self.container.left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => {
                while self.reader.peek() == Some(b'N') {
                    self.reader.at += 1;
                }
                let ended = self.reader.peek() == Some(end);
                if ended {
                    self.reader.at += 1;
                }
                !ended
            }
        };
        if !more {
            self.reader.depth -= 1;
        }
        Ok(more)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = UbjError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, UbjError> {
        if !self.next(b']')? {
            return Ok(None);
        }
        let marker = self.container.of;
        seed.deserialize(Value { reader: self.reader, marker }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        // Not past what a reader may reserve unseen.
        self.container.left.map(|left| left.min(1 << 16))
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = UbjError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, UbjError> {
        if !self.next(b'}')? {
            return Ok(None);
        }
        let key = self.reader.text()?;
        seed.deserialize(de::value::BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, UbjError> {
        let marker = self.container.of;
        seed.deserialize(Value { reader: self.reader, marker })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn arrays_of_all_kinds_are_read() {
        let bytes = b"{i\x01a[$d#i\x02\x3f\x80\x00\x00\xc0\x00\x00\x00i\x01b[i\x03U\xffI\x01\x00]i\x01c[#i\x01D\x3f\xe0\x00\x00\x00\x00\x00\x00}";
        let read: BTreeMap<String, Vec<f64>> = read(bytes).unwrap();
        let wanted = [("a", vec![1.0, -2.0]), ("b", vec![3.0, 255.0, 256.0]), ("c", vec![0.5])];
        assert_eq!(read, wanted.map(|(name, values)| (name.to_owned(), values)).into());
    }

    #[test]
    fn what_is_hostile_is_refused_with_its_place() {
        let check = |bytes: &[u8], says: &str| {
            let error = read::<de::IgnoredAny>(bytes).unwrap_err();
            assert!(error.to_string().starts_with(says), "{error}");
        };
        check(b"[[i\x01", "it ends too early, at byte 4");
        check(b"[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff", "byte 4 gives a length below 0");
        check(b"[$d#i\xff", "byte 4 gives a length below 0");
        check(b"[$Z#I\x7f\xff", "byte 2 is no type");
        check(b"[?", "byte 1 is no type");
        check(b"[]x", "after the model, at byte 2");
        check(b"[S", "it ends too early");
        check(&[b'['; 100], "it is nested deeper than 32 levels");
    }
}
