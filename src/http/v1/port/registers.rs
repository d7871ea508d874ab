//! Groups, sources and statuses by their names: a file names them, a book numbers them, and in each book otherwise.

use foldhash::HashMap;

use crate::{
    domain::{Entry, Error, Field, Invalid, NamePart, Patch, Register, RegisterAct, RegisterEdit, Result, fold},
    http::time::now,
    session::Session,
};

const ALL: [(Register, &str); 3] =
    [(Register::Groups, "groups"), (Register::Sources, "source"), (Register::Statuses, "status")];

/// The names in a row; empty where it says nothing of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    pub source: Option<NamePart>,
    pub status: Option<NamePart>,
    pub groups: Vec<NamePart>,
}

pub struct Registers {
    known: HashMap<(Register, String), i64>,
    /// Unknown names become entries.
    creates: bool,
    /// Nothing becomes anything.
    rehearses: bool,
}

/// What a status looks like that nobody gave a colour.
const COLOR: &str = "#757575";

/// Every entry of the book.
pub async fn entries(session: &Session) -> Result<Vec<(Register, Entry)>> {
    let mut all = Vec::new();
    for (register, _) in ALL {
        all.extend(session.entries(register).await?.into_iter().map(|entry| (register, entry)));
    }
    Ok(all)
}

impl Registers {
    pub async fn of(session: &Session, creates: bool, rehearses: bool) -> Result<Self> {
        let mut registers = Self { known: HashMap::default(), creates, rehearses };
        registers.read(session).await?;
        Ok(registers)
    }

    /// Puts the numbers of what is named into the patch.
    pub async fn resolve(&mut self, session: &Session, named: &Named, patch: &mut Patch) -> Result<()> {
        for (register, name, field) in [
            (Register::Sources, &named.source, &mut patch.card.source_id),
            (Register::Statuses, &named.status, &mut patch.card.status_id),
        ] {
            if let Some(name) = name
                && let Some(id) = self.number(session, register, name).await?
            {
                *field = Field::Set(id);
            }
        }
        if !named.groups.is_empty() {
            let mut groups = Vec::with_capacity(named.groups.len());
            for name in &named.groups {
                groups.extend(self.number(session, Register::Groups, name).await?);
            }
            groups.sort_unstable();
            groups.dedup();
            if !groups.is_empty() {
                patch.card.groups = Field::Set(groups);
            }
        }
        Ok(())
    }

    /// `None` in a rehearsal, for what would be made.
    async fn number(&mut self, session: &Session, register: Register, name: &NamePart) -> Result<Option<i64>> {
        let key = (register, fold(name.as_str().trim()));
        if let Some(id) = self.known.get(&key) {
            return Ok(Some(*id));
        }
        if !self.creates {
            let field = ALL.iter().find(|(known, _)| *known == register).map_or("register", |(_, field)| field);
            return Err(
                Invalid::new(field, "names something that this book has not; with create=true it is made").into()
            );
        }
        if self.rehearses {
            return Ok(None);
        }
        let color = (register == Register::Statuses).then(|| COLOR.into());
        let act = RegisterAct::Add { name: name.clone(), color };
        match session.edit_register(RegisterEdit { register, act, at: now() }).await {
            Ok(entry) => drop(self.known.insert(key.clone(), entry.id)),
            // Somebody else was faster.
            Err(Error::Duplicate { .. }) => self.read(session).await?,
            Err(error) => return Err(error),
        }
        self.known.get(&key).copied().map(Some).ok_or(Error::NoEntry)
    }

    async fn read(&mut self, session: &Session) -> Result<()> {
        for (register, entry) in entries(session).await? {
            self.known.insert((register, fold(entry.name.as_str().trim())), entry.id);
        }
        Ok(())
    }
}
