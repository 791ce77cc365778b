//! Scorecards: bins that no value reaches, values that no bin takes.

use super::cells::{self, Asked};
use super::space::{Atoms, Space, written};
use super::{Analysis, UNORDERED};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::scorecard::{Bin, Characteristic};
use crate::domain::table::Test;

impl Analysis<'_> {
    pub(super) fn scorecards(&mut self) {
        for scorecard in &self.flow.scorecards {
            let mut is_whole = true;
            for characteristic in &scorecard.characteristics {
                if self.characteristic(characteristic).is_none() {
                    is_whole = false;
                    let what = format!("characteristic {} in {}", characteristic.name, scorecard.name);
                    self.coverage.leave(what, UNORDERED);
                }
            }
            self.coverage.scorecards.count(is_whole);
        }
    }

    fn characteristic(&mut self, characteristic: &Characteristic) -> Option<()> {
        let mut space = Space::default();
        let asked = Asked {
            name: &characteristic.name,
            source: characteristic.source,
            kind: &characteristic.kind,
            may_be_missing: characteristic.may_be_missing,
        };
        let at = self.asked(&mut space, &asked)?;
        let axis = space.axes.get_mut(at)?;
        let test = |bin: &Bin| bin.test.clone().unwrap_or(Test::Any);
        for bin in &characteristic.bins {
            let spans = cells::spans(&test(bin), axis)?;
            axis.cut(&spans);
        }
        axis.settle();
        let name = &characteristic.name;
        let mut taken = Atoms::default();
        for (nth, bin) in characteristic.bins.iter().enumerate() {
            let own = cells::atoms(&test(bin), axis)?;
            if taken.covers(&own) {
                let why = if own.is_empty() {
                    "no value that it is declared to have fits"
                } else {
                    "the bins before it take all that would fit"
                };
                let message = format!("bin {} of `{name}` is never reached: {why}", nth + 1);
                self.found
                    .push(Diagnostic::warning("T097", bin.place, message).help("move, correct or remove it"));
            }
            taken = taken.union(&own);
        }
        if let Some(gap) = axis.any().without(&taken).least() {
            let example = written(&axis.line, &axis.example(gap));
            let message = format!("no bin of `{name}` takes `{example}`");
            self.found.push(
                Diagnostic::warning("T098", characteristic.place, message)
                    .help("add a bin for it, or a last bin `{ otherwise: true, points: … }`"),
            );
        }
        if !taken.covers(&axis.missing()) {
            let message = format!("`{name}` may be missing, and no bin says what then");
            self.found.push(
                Diagnostic::warning("T098", characteristic.place, message)
                    .help("add a bin `{ missing: true, points: … }`"),
            );
        }
        Some(())
    }
}
