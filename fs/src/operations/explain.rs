//! Explanations of names: what an open of one would do, or why there is none.

use super::{Operations, path};
use crate::access::requester::Requester;
use crate::control::report::one_line;
use crate::error::{Failure, Result};
use crate::explanation::Explanation;
use iterfs_mapping::{Base, Contents, Error, Narrowing, Node, Subject};
use std::ffi::OsStr;

impl Operations {
    /// Explains a name in a directory to a requester: how its table would answer, or in one
    /// line why it cannot. A pass is started for that, and ended unread.
    ///
    /// # Errors
    /// [`Failure::NotFound`] for a name of which no table is, and the errors of opening the
    /// table, whoever may not read it among them.
    pub fn explain(&self, requester: &Requester, parent: Node, name: &OsStr) -> Result<String> {
        let Node::Directory(directory) = parent else {
            return Err(Failure::NotFound);
        };
        let asked = self.tree.asked(directory, name)?;
        let base = match &asked {
            Some((base, _)) => Some(*base),
            None => match self.tree.child(directory, name)? {
                Some(Node::File(file)) => Some(Base::File(file)),
                Some(Node::User(file)) => Some(Base::User(file)),
                _ => None,
            },
        };
        let base = base.ok_or(Failure::NotFound)?;
        let node = Node::from(base);
        if !self.tree.has(requester, node)? {
            return Err(Failure::NotFound);
        }
        let query = match asked {
            Some((_, parts)) => match self.checked(requester, base, &parts) {
                Ok(query) => Some(query),
                Err(failure) if is_in_the_name(&failure) => {
                    return Ok(one_line(&failure.to_string()) + "\n");
                }
                Err(failure) => return Err(failure),
            },
            None => None,
        };
        let _seat = self.access.seat(requester)?;
        let view = self.reader(requester, node)?;
        let (contents, _) = base.contents();
        let columns = self.backend.schema(contents, &view)?;
        let pass = self.backend.open(contents, query.as_ref(), &view)?;
        let explanation = Explanation {
            table: &self.table_path(base),
            target: &self.target(contents),
            narrowing: match contents {
                Contents::Table(instance) => instance.narrowing,
                Contents::User(_) => Narrowing::Nothing,
            },
            query: query.as_ref(),
            columns: columns.as_deref(),
            pass: &pass,
        };
        Ok(explanation.to_string())
    }

    /// The path of a table, without a format.
    fn table_path(&self, base: Base) -> String {
        let (contents, format) = base.contents();
        let path = match contents {
            Contents::User(number) => {
                let mut tables = self.backend.user_tables().into_iter();
                let table = tables.find(|table| table.number == number);
                return format!(
                    "user/{}",
                    table.map_or_else(String::new, |table| table.name)
                );
            }
            Contents::Table(_) => path(base.into(), contents),
        };
        path.strip_suffix(format.suffix()).unwrap_or(&path).into()
    }

    /// The name of the target that a table's program walks.
    fn target(&self, contents: Contents) -> String {
        let number = match contents {
            Contents::Table(instance) => return instance.table.table().target.name.into(),
            Contents::User(number) => number,
        };
        let mut loaded = self.backend.loaded().into_iter();
        let program = loaded.find(|program| program.table == Subject::User(number));
        program.map_or_else(|| "unknown".into(), |program| program.target)
    }
}

/// Whether a failure is that of the name, not of its table or its caller.
fn is_in_the_name(failure: &Failure) -> bool {
    match failure {
        Failure::Tables(error) => matches!(**error, Error::Question(_) | Error::PrintsText),
        _ => false,
    }
}
