//! CSV as people and programs write it: columns by the names that the vendor's JSON has, or plainer ones, in any order
//! and case; a byte order mark, either line end, quoted cells with line ends in them. Other columns become params.

use std::borrow::Cow;

use csv::{ByteRecord, ReaderBuilder};

use super::{
    bulk::{Read, shown_phone},
    draft::{self, Draft},
};
use crate::{domain::Moment, http::room::Fault};

/// More than any row could fill.
const MOST_COLUMNS: usize = 200;

/// What a column of CSV holds, by its header.
enum Column {
    Number,
    Name,
    Email,
    Country,
    Tags,
    Param(String),
    /// It has no name.
    Nothing,
}

impl Column {
    fn of(header: &str) -> Self {
        let plain: String = header.chars().filter(|c| !" _-".contains(*c)).collect();
        match &*plain.to_ascii_lowercase() {
            "usernumber" | "phone" => Self::Number,
            "username" | "name" => Self::Name,
            "email" => Self::Email,
            "countrycode" => Self::Country,
            "tags" => Self::Tags,
            "" => Self::Nothing,
            _ => Self::Param(header.trim().to_owned()),
        }
    }

    /// Two columns of one meaning would have to be chosen between.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) => false,
            (Self::Param(one), Self::Param(other)) => one == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    fn write<'c>(&self, cell: &'c str, draft: &mut Draft<'c>) {
        match self {
            _ if cell.trim().is_empty() => {}
            Self::Number => draft.number = Some(cell.into()),
            Self::Name => draft.name = Some(cell.into()),
            Self::Email => draft.email = Some(cell.into()),
            Self::Country => draft.country = Some(cell.into()),
            Self::Tags => draft.tags = cell.split([';', ',']).map(str::trim).map(Cow::from).collect(),
            Self::Param(key) => drop(draft.params.insert(key.clone(), cell.into())),
            Self::Nothing => {}
        }
    }
}

/// The rows below the header, each a contact to be made or why it is none.
pub fn rows(csv: &[u8], most: usize, at: Moment) -> Result<Vec<Read>, Fault> {
    let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
    let malformed = |why: &str| Fault::Malformed(format!("The CSV cannot be read: {why}."));
    // What follows a quote that is never closed would all become one cell.
    if csv.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
        return Err(malformed("it has a quotation mark without its counterpart"));
    }
    let mut reader = ReaderBuilder::new().flexible(true).delimiter(delimiter(csv)).from_reader(csv);
    let headers = reader.headers().map_err(|_| malformed("its header is not UTF-8"))?;
    if headers.len() > MOST_COLUMNS {
        return Err(malformed("it has too many columns"));
    }
    let columns: Vec<_> = headers.iter().map(Column::of).collect();
    for (place, column) in columns.iter().enumerate() {
        if columns[..place].iter().any(|before| column.is_like(before)) {
            return Err(malformed("two of its columns have the same meaning"));
        }
    }
    if !columns.iter().any(|column| matches!(column, Column::Number)) {
        draft::number(None)?;
    }
    let (mut rows, mut record) = (Vec::new(), ByteRecord::new());
    while reader.read_byte_record(&mut record).map_err(|_| malformed("it breaks off"))? {
        if rows.len() == most {
            return Err(Fault::TooMany(most));
        }
        rows.push(row(&columns, &record, at));
    }
    Ok(rows)
}

/// Spreadsheets of some countries write semicolons.
fn delimiter(csv: &[u8]) -> u8 {
    let header = csv.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    if header.contains(&b';') && !header.contains(&b',') { b';' } else { b',' }
}

fn row(columns: &[Column], record: &ByteRecord, at: Moment) -> Read {
    if record.len() > columns.len() {
        return (String::new(), Err("The row has more cells than the header.".into()));
    }
    let mut draft = Draft::default();
    for (column, cell) in columns.iter().zip(record) {
        let Ok(cell) = std::str::from_utf8(cell) else {
            return (String::new(), Err("The row is not UTF-8.".into()));
        };
        column.write(cell, &mut draft);
    }
    (shown_phone(draft.number.as_deref()), draft.edit(at).map_err(|refusal| refusal.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Moment = Moment::from_millis(1);

    #[test]
    fn columns_are_known_by_several_names() {
        for (header, expected) in [
            ("userNumber", Column::Number),
            ("Phone", Column::Number),
            ("user name", Column::Name),
            ("E-Mail", Column::Email),
            ("country_code", Column::Country),
            ("TAGS", Column::Tags),
            ("tier", Column::Param("tier".into())),
        ] {
            assert!(Column::of(header).is_like(&expected), "{header}");
        }
        assert!(!Column::of(" ").is_like(&Column::Nothing), "nameless columns are none of them");
        assert!(!Column::of("Tier").is_like(&Column::of("tier")));
        let wide = format!("phone{}\n4930111\n", ",".repeat(MOST_COLUMNS));
        assert!(rows(wide.as_bytes(), 10, AT).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = rows(&bytes, 10, AT);
            let with_header = [b"phone,name,tags,k\n", &*bytes].concat();
            let _ = rows(&with_header, 10, AT);
        }

        #[test]
        fn what_a_csv_writer_quotes_reads_back(cells in proptest::collection::vec("[^\u{0}]{0,20}", 1..4)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for cell in &cells {
                writer.write_record(["4930111", cell]).unwrap();
            }
            let csv = [b"phone,note\n", &*writer.into_inner().unwrap()].concat();
            let read = rows(&csv, 10, AT).unwrap();
            prop_assert_eq!(read.len(), cells.len());
            for ((phone, edit), cell) in read.into_iter().zip(cells) {
                let expected = Draft {
                    number: Some("4930111".into()),
                    params: if cell.trim().is_empty() {
                        serde_json::Map::new()
                    } else {
                        [("note".to_owned(), cell.into())].into_iter().collect()
                    },
                    ..Draft::default()
                };
                prop_assert_eq!(phone, "+4930111");
                prop_assert_eq!(edit.unwrap(), expected.edit(AT).unwrap());
            }
        }
    }
}
