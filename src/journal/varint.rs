//! Variable-length integers: seven bits a byte, low ones first; signed ones zigzagged.

use super::codec::CodecError;

/// Most bytes one value takes.
pub(super) const MAX: usize = 10;

#[inline]
pub(super) const fn zigzag(v: i64) -> u64 {
    ((v << 1) ^ (v >> 63)).cast_unsigned()
}

#[inline]
const fn unzigzag(v: u64) -> i64 {
    (v >> 1).cast_signed() ^ -((v & 1).cast_signed())
}

/// Writes at `*at` and moves it on. The caller has room for [`MAX`] bytes.
#[inline(always)]
pub(super) fn put<const N: usize>(buf: &mut [u8; N], at: &mut usize, mut v: u64) {
    // Differences of prices and quantities take one byte or two.
    if v < 0x80 {
        buf[*at] = v as u8;
        *at += 1;
        return;
    }
    if v < 0x4000 {
        buf[*at] = (v as u8) | 0x80;
        buf[*at + 1] = (v >> 7) as u8;
        *at += 2;
        return;
    }
    while v >= 0x80 {
        buf[*at] = (v as u8) | 0x80;
        *at += 1;
        v >>= 7;
    }
    buf[*at] = v as u8;
    *at += 1;
}

/// Reads bytes one after the other; never past the end.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, CodecError> {
        let byte = *self.bytes.get(self.at).ok_or(CodecError::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let end = self.at.checked_add(len).ok_or(CodecError::Truncated)?;
        let bytes = self.bytes.get(self.at..end).ok_or(CodecError::Truncated)?;
        self.at = end;
        Ok(bytes)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        Ok(self.take(N)?.try_into().expect("take gives what was asked for"))
    }

    #[inline]
    pub(super) fn unsigned(&mut self) -> Result<u64, CodecError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CodecError::Malformed("a number of more than 64 bits"))
    }

    #[inline]
    pub(super) fn signed(&mut self) -> Result<i64, CodecError> {
        self.unsigned().map(unzigzag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_survives(v: i64) {
            let mut buf = [0; MAX];
            let mut len = 0;
            put(&mut buf, &mut len, zigzag(v));
            let mut cursor = Cursor::new(&buf[..len]);
            prop_assert_eq!(cursor.signed(), Ok(v));
            prop_assert!(cursor.is_empty());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes);
            while !cursor.is_empty() {
                if cursor.signed().is_err() {
                    break;
                }
            }
        }
    }
}
