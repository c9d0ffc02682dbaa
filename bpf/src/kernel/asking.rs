//! Passes that answer questions: who evaluates which conditions, and which processes are walked.

#[cfg(test)]
mod tests;

use super::{Kernel, missing};
use crate::load::mode::Mode;
use crate::load::objects;
use crate::load::question::{Divided, Encoded, divide};
use crate::pass::map;
use crate::program::Program;
use iterfs_mapping::contract::{Asked, Pass};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::query::{Filter, Question};
use iterfs_mapping::row::Schema;
use iterfs_mapping::{Instance, Narrowing, Query, Scope, TableId, View};
use std::sync::Arc;

/// The part of a question that the kernel answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Asks {
    /// The conditions that the program evaluates, and the columns that it makes.
    pub(super) question: Option<Arc<Encoded>>,
    /// The only process whose rows are kept, as the reader numbers it.
    pub(super) process: Option<u32>,
}

/// A program for a question, and who evaluates which conditions.
struct Answering {
    program: Arc<Program>,
    question: Option<Arc<Encoded>>,
    in_kernel: Filter,
    in_daemon: Filter,
}

impl Kernel {
    /// A pass of a table's program for a reader that answers a query, if there is one.
    pub(super) fn answer(
        &self,
        program: &Arc<Program>,
        scope: Scope,
        Instance { table, narrowing }: Instance,
        query: Option<&Query>,
        view: &View,
    ) -> Result<Pass> {
        let Some(query) = query else {
            let pass = self.pass(program, scope, narrowing, view, &Asks::default())?;
            return pass.0.answering(None);
        };
        let template = program.schema().ok_or(Error::PrintsText)?;
        let schema = match narrowing {
            Narrowing::Map(id) if program.is_built_in() => {
                Arc::new(map::schema(template, id, view)?)
            }
            _ => Arc::clone(template),
        };
        let question = Question::of(query, &schema).map_err(Error::Question)?;
        let answering = self.answering(table, program, &question, template);
        let is_of_processes = matches!(scope, Scope::PidNamespace | Scope::PidAndNetNamespace);
        let whole = narrowing == Narrowing::Nothing && program.is_built_in();
        let makes_only_needed = answering.question.is_some();
        let asks = Asks {
            question: answering.question,
            process: question.process.filter(|_| is_of_processes && whole),
        };
        let (pass, walked) = self.pass(&answering.program, scope, narrowing, view, &asks)?;
        Ok(Pass {
            schema: Some(Arc::clone(&question.schema)),
            asked: Some(Box::new(Asked {
                question,
                in_kernel: answering.in_kernel,
                in_daemon: answering.in_daemon,
                walked,
                makes_only_needed,
            })),
            ..pass
        })
    }

    /// The form of a program that answers a question, or the plain one where the kernel or the
    /// program cannot.
    fn answering(
        &self,
        table: TableId,
        program: &Arc<Program>,
        question: &Question,
        template: &Schema,
    ) -> Answering {
        let may_ask = program.is_built_in() && self.evaluates;
        let asking = match may_ask {
            true => program.asking(|| self.load_asking(table)),
            false => None,
        };
        match asking {
            Some(asking) => {
                let Divided {
                    encoded,
                    in_kernel,
                    in_daemon,
                } = divide(question, template);
                Answering {
                    program: asking,
                    question: Some(Arc::new(encoded)),
                    in_kernel,
                    in_daemon,
                }
            }
            None => Answering {
                program: Arc::clone(program),
                question: None,
                in_kernel: Filter::default(),
                in_daemon: question.filter.clone(),
            },
        }
    }

    fn load_asking(&self, table: TableId) -> Result<Program> {
        let table = table.table();
        let elf = objects::find(table.object).ok_or_else(|| missing(table))?;
        let program = Program::load(table.object, elf, table.need, Mode::ASKING, &self.maps)?;
        tracing::info!(object = table.object, "loaded to answer questions");
        Ok(program)
    }

    /// Leaves all conditions, and all columns, to whoever reads a pass, as on a kernel that
    /// refuses the programs' form that answers questions.
    pub fn evaluating_nothing(self) -> Kernel {
        Kernel {
            evaluates: false,
            ..self
        }
    }
}
