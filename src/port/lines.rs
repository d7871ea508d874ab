//! Lines out of bytes that arrive in pieces, numbered from 1, either line end, without a byte order mark. A line beyond
//! the limit is told of by its beginning alone, so that memory stays bounded whatever arrives.

use memchr::memchr;

use super::ROW_MOST;

/// Of a line that is too long, this much is shown.
const BEGINNING: usize = 64;

#[derive(Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    number: u64,
    is_too_long: bool,
}

pub(super) enum Line<'l> {
    Whole(&'l [u8]),
    TooLong(&'l [u8]),
}

impl Lines {
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(u64, Line<'_>)) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            self.number += 1;
            // Most lines arrive whole: those are not copied.
            if self.held.is_empty() && !self.is_too_long && line.len() <= ROW_MOST {
                each(self.number, Line::Whole(plain(line, self.number)));
                continue;
            }
            self.hold(line);
            self.tell(&mut each);
        }
        self.hold(bytes);
    }

    /// A last line may have no line end.
    pub(super) fn end(&mut self, mut each: impl FnMut(u64, Line<'_>)) {
        if !self.held.is_empty() {
            self.number += 1;
            self.tell(&mut each);
        }
    }

    fn tell(&mut self, each: &mut impl FnMut(u64, Line<'_>)) {
        let line = plain(&self.held, self.number);
        each(self.number, if self.is_too_long { Line::TooLong(line) } else { Line::Whole(line) });
        self.is_too_long = false;
        self.held.clear();
        // One long line must not keep its memory for the rest of the file.
        self.held.shrink_to(64 * 1024);
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.is_too_long {
            return;
        }
        self.held.extend_from_slice(&bytes[..bytes.len().min(ROW_MOST + 1)]);
        if self.held.len() > ROW_MOST {
            self.is_too_long = true;
            self.held.truncate(BEGINNING);
        }
    }
}

fn plain(line: &[u8], number: u64) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<(u64, Vec<u8>, bool)> {
        let (mut lines, mut read) = (Lines::default(), Vec::new());
        let mut each = |number, line: Line<'_>| match line {
            Line::Whole(line) => read.push((number, line.to_vec(), true)),
            Line::TooLong(line) => read.push((number, line.to_vec(), false)),
        };
        pieces.iter().for_each(|piece| lines.feed(piece, &mut each));
        lines.end(&mut each);
        read
    }

    #[test]
    fn a_line_that_is_too_long_is_told_of_and_the_next_is_whole() {
        let long = vec![b'x'; ROW_MOST + 1];
        let lines = read(&[b"\xef\xbb\xbfa\r\n", &long[..700_000], &long[700_000..], b"\nb\n", &long, b"\nlast"]);
        let told: Vec<_> = lines.iter().map(|(number, line, is_whole)| (*number, line.len(), *is_whole)).collect();
        assert_eq!(told, [(1, 1, true), (2, 64, false), (3, 1, true), (4, 64, false), (5, 4, true)]);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[ab\\r\\n]{0,40}", cut in 0..40_usize) {
            let cut = cut.min(text.len());
            let (one, two) = text.as_bytes().split_at(cut);
            prop_assert_eq!(read(&[one, two]), read(&[text.as_bytes()]));
        }
    }
}
