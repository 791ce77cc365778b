//! Calls: words, words over lists, functions of the script, and properties. Steps (`rules`, `model`, …) are `steps`'.

use super::compile::{Compiler, Typing, article};
use super::functions::Argument;
use super::needs::NEED;
use super::scope::Role;
use super::typed::{Static, Typed};
use super::words::{WORDS, Word};
use super::{Code, Expression, ListWord, literals, meant, narrowing};
use crate::domain::nearest::nearest;
use crate::domain::place::Span;
use crate::domain::script::syntax::{self, Node, Operator, Syntax};
use crate::domain::value::Name;

/// Words that name a step of the flow: only its script has them.
const STEPS: &[&str] = &["rules", "model", "scorecard", "table", "flow", NEED];

impl Compiler<'_> {
    pub(super) fn call(&mut self, name: &syntax::Word, arguments: &[Syntax], span: Span) -> Typing {
        let word = name.text.as_str();
        if let ("is_given" | "is_missing", [of]) = (word, arguments) {
            return self.presence(of, word == "is_given", span);
        }
        if let Some(list_word) = self.list_word(word, arguments) {
            return self.over_list(list_word, arguments, span);
        }
        if let Some((_, found, least, most, usage)) = WORDS.iter().find(|(n, ..)| *n == word) {
            return self.word(*found, (*least, *most, usage), arguments, name, span);
        }
        if matches!(self.role, Role::Script) {
            match word {
                "rules" => return self.rule_set(arguments, span),
                "model" => return self.model(arguments, span),
                "flow" => return self.sub_flow(arguments, span),
                "scorecard" => return self.scorecard(arguments, span),
                "table" => return self.table(arguments, span),
                NEED => return self.need(arguments, span),
                _ => {}
            }
            if let Some(at) = self.scope.outcomes.iter().position(|o| &**o == word) {
                return self.verb(at, arguments, span);
            }
        }
        if let Some(at) = self.functions.position(word, self.role) {
            return self.function(at, arguments, span);
        }
        for argument in arguments.iter().filter(|a| !matches!(a.node, Node::Lambda { .. })) {
            self.maybe(argument);
        }
        self.unknown_function(name)
    }

    fn unknown_function(&mut self, name: &syntax::Word) -> Typing {
        let word = name.text.as_str();
        let script = matches!(self.role, Role::Script);
        let is_flow_word = STEPS.contains(&word) || self.scope.outcomes.iter().any(|o| &**o == word);
        if word == NEED && !script {
            return self.need_outside(name);
        }
        if is_flow_word && !script {
            self.error("T001", name.span, format!("`{word}` can be called only in `flow.rhai`"));
            return Self::broken(name.span);
        }
        if self.functions.is_elsewhere(word) {
            let message = format!("`{word}` is a function of `flow.rhai` and can be called only there");
            self.error("T001", name.span, message).help =
                Some("move it into a file `rules/_shared/NAME.rhai`".to_owned());
            return Self::broken(name.span);
        }
        let mut names: Vec<&str> = WORDS.iter().map(|(n, ..)| *n).collect();
        names.extend(["is_given", "is_missing", "count", "sum", "average", "any", "all", "latest", "filter"]);
        if script {
            names.extend(STEPS);
            names.extend(self.scope.outcomes.iter().map(|o| &**o));
        }
        names.extend(self.functions.names(self.role));
        let help = meant::function(word, self.scope, self.role)
            .or_else(|| nearest(word, names).map(|near| format!("did you mean `{near}`?")));
        self.error("T001", name.span, format!("there is no function `{word}`")).help = help;
        Self::broken(name.span)
    }

    fn presence(&mut self, of: &Syntax, given: bool, span: Span) -> Typing {
        let (inner, _) = self.maybe(of);
        let asked = Expression { span, code: Code::IsGiven(Box::new(inner)) };
        let code = if given { asked.code } else { Code::Not(Box::new(asked)) };
        (Expression { span, code }, Static::given(Typed::Boolean))
    }

    fn word(
        &mut self,
        word: Word,
        (least, most, usage): (usize, usize, &str),
        arguments: &[Syntax],
        name: &syntax::Word,
        span: Span,
    ) -> Typing {
        let mut typings: Vec<Typing> = arguments.iter().map(|a| self.given(a)).collect();
        if arguments.len() < least || arguments.len() > most {
            let message = format!("`{}` is called with {} of its arguments", name.text, arguments.len());
            self.error("T002", span, message).help = Some(format!("write `{usage}`"));
            return Self::broken(span);
        }
        let types: Vec<Typed> = typings.iter().map(|(_, known)| known.typed.clone()).collect();
        let typed = match result_of(word, &types) {
            Ok(typed) => typed,
            Err(expected) => {
                let given: Vec<&str> = types.iter().map(Typed::word).collect();
                let message = format!("`{}` is called with {}", name.text, given.join(", "));
                self.error("T003", span, message).help = Some(format!("{expected}: `{usage}`"));
                Typed::Any
            }
        };
        for ((code, _), known) in typings.iter_mut().zip(&types) {
            match word {
                Word::Min | Word::Max => literals::part(code, known, &typed),
                Word::Contains if types.contains(&Typed::Decimal) => literals::items(code, known),
                _ => {}
            }
        }
        let arguments = typings.into_iter().map(|(code, _)| code).collect();
        (Expression { span, code: Code::Word(word, arguments) }, Static::given(typed))
    }

    fn function(&mut self, at: usize, arguments: &[Syntax], span: Span) -> Typing {
        let typings: Vec<Typing> = arguments.iter().map(|a| self.given(a)).collect();
        let functions = self.functions;
        let Some(declared) = functions.get(at) else { return Self::broken(span) };
        let (name, parameters) = (&declared.function.name, &declared.function.parameters);
        if typings.len() != parameters.len() {
            let message = format!("`{name}` takes {} arguments, not {}", parameters.len(), typings.len());
            self.error("T002", span, message).help =
                Some(format!("write `{name}({})`", parameters.join(", ")));
            return Self::broken(span);
        }
        let mut known = Vec::with_capacity(typings.len());
        let mut compiled = Vec::with_capacity(typings.len());
        for (code, argument) in typings {
            let is_literal = argument.typed == Typed::Literal;
            let exact = if is_literal { literals::folded(&code) } else { None };
            let typed = if exact.is_some() { Typed::Literal } else { argument.typed.settled() };
            known.push(Argument { typed, exact });
            compiled.push(code);
        }
        let (function, result) = functions.instance(at, known, self.scope, &mut self.usage);
        let code = Code::Call { function, arguments: compiled.into() };
        (Expression { span, code }, result)
    }

    pub(super) fn method(
        &mut self,
        receiver: &Syntax,
        name: &syntax::Word,
        arguments: &[Syntax],
        span: Span,
    ) -> Typing {
        match (name.text.as_str(), arguments) {
            ("apply", []) => {
                let (of, known) = self.given(receiver);
                self.check_applied(&known.typed, name.span);
                (Expression { span, code: Code::Apply(Box::new(of)) }, Static::given(Typed::Nothing))
            }
            ("push", [item]) => {
                let more = Syntax {
                    span,
                    node: Node::Binary(
                        Operator::Add,
                        Box::new((
                            receiver.clone(),
                            Syntax { span: item.span, node: Node::List(vec![item.clone()]) },
                        )),
                    ),
                };
                self.statement(&Syntax {
                    span,
                    node: Node::Assign {
                        target: Box::new(receiver.clone()),
                        operator: None,
                        value: Box::new(more),
                    },
                })
            }
            (word, _)
                if word == "is_given"
                    || word == "is_missing"
                    || ListWord::from_name(word).is_some()
                    || WORDS.iter().any(|(n, ..)| *n == word) =>
            {
                let mut all = vec![receiver.clone()];
                all.extend(arguments.iter().cloned());
                self.call(name, &all, span)
            }
            (word, _) => {
                self.maybe(receiver);
                let names =
                    WORDS.iter().map(|(n, ..)| *n).chain(["apply", "push", "filter", "count", "any", "all"]);
                let help = nearest(word, names).map(|near| format!("did you mean `{near}`?"));
                self.error("T001", name.span, format!("there is no function `{word}`")).help = help;
                Self::broken(span)
            }
        }
    }

    pub(super) fn property(&mut self, whole: &Syntax, of: &Syntax, name: &syntax::Word) -> Typing {
        let (of_code, known) = self.maybe(of);
        let fixed = |fields: &[(&'static str, Typed, bool)]| {
            fields
                .iter()
                .find(|(n, ..)| *n == name.text)
                .map(|(_, typed, may_be_missing)| Static {
                    typed: typed.clone(),
                    may_be_missing: *may_be_missing,
                })
                .ok_or_else(|| fields.iter().map(|(n, ..)| (*n).to_owned()).collect::<Vec<_>>())
        };
        let texts = || Typed::List(Box::new(Typed::Text));
        let found = match &known.typed {
            Typed::Any | Typed::Map(None) => Ok(Static::given(Typed::Any)),
            Typed::RuleSet => fixed(&[
                ("outcome", Typed::Text, true),
                ("is_hit", Typed::Boolean, false),
                ("hits", texts(), false),
                ("points", Typed::Integer, false),
                ("failed", Typed::Boolean, false),
                ("reasons", texts(), false),
            ]),
            Typed::Scorecard(_) => fixed(&[
                ("points", Typed::Integer, false),
                ("reasons", texts(), false),
                ("failed", Typed::Boolean, false),
            ]),
            Typed::Table(at) => self.table_given(*at, &name.text),
            Typed::Model(at) => self.model_given(*at, name),
            Typed::SubFlow(at) => self.sub_flow_property(*at, &name.text),
            Typed::Map(Some(fields)) => fields
                .get(name.text.as_str())
                .map(Static::field)
                .ok_or_else(|| fields.keys().map(|n| n.to_string()).collect::<Vec<_>>()),
            _ => Err(Vec::new()),
        };
        let code = Code::Property { of: Box::new(of_code), name: Name::from(name.text.as_str()) };
        match found {
            Ok(found) => {
                let path = narrowing::path(whole).unwrap_or_default();
                let either = found.may_be_missing || known.may_be_missing;
                let may_be_missing = either && !self.given.contains(&path);
                (Expression { span: whole.span, code }, Static { typed: found.typed, may_be_missing })
            }
            Err(names) => {
                let is_applied =
                    name.text == "apply" && !matches!(known.typed, Typed::Model(_) | Typed::Scorecard(_));
                let help = is_applied.then(|| "write `.apply()`, with brackets".to_owned());
                let help = help.or_else(|| {
                    nearest(&name.text, names.iter().map(String::as_str)).map_or_else(
                        || (!names.is_empty()).then(|| format!("it has {}", names.join(", "))),
                        |near| Some(format!("did you mean `{near}`?")),
                    )
                });
                let message = format!("{} has no `{}`", article(known.typed.word()), name.text);
                self.error("T012", name.span, message).help = help;
                Self::broken(whole.span)
            }
        }
    }

    pub(super) fn index(&mut self, of: &Syntax, index: &Syntax, span: Span) -> Typing {
        let (of_code, known) = self.given(of);
        let (index_code, index_known) = self.given(index);
        let typed = match (known.typed, &index_known.typed) {
            (Typed::List(item), Typed::Integer | Typed::Any) => item.settled(),
            (Typed::Map(_) | Typed::Any, _) => Typed::Any,
            (other, _) => {
                let message = format!(
                    "{} cannot be read by {}",
                    article(other.word()),
                    article(index_known.typed.word())
                );
                self.error("T012", span, message);
                Typed::Any
            }
        };
        (Expression { span, code: Code::Index(Box::new([of_code, index_code])) }, Static::given(typed))
    }
}

pub(super) fn listed(names: &[Name]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// The type that a word gives, or what it expects.
fn result_of(word: Word, types: &[Typed]) -> Result<Typed, &'static str> {
    use Typed::{Any, Boolean, Date, Decimal, Integer, List, Map, Number, Text, Time};
    let numeric = |t: &Typed| t.is_numeric() || *t == Any;
    let textual = |t: &Typed| t.is_text() || *t == Any;
    let dated = |t: &Typed| matches!(t, Date | Time | Any);
    let check =
        |fine: bool, typed: Typed, expected: &'static str| if fine { Ok(typed) } else { Err(expected) };
    let first = types.first().cloned().unwrap_or(Any);
    match word {
        Word::YearsBetween | Word::MonthsBetween | Word::DaysBetween => {
            check(types.iter().all(dated), Integer, "it takes two dates or times")
        }
        Word::HourOf => check(matches!(first, Time | Any), Integer, "it takes a time"),
        Word::DayOfWeek => check(dated(&first), Integer, "it takes a date or a time"),
        Word::DateOf => check(dated(&first) || textual(&first), Date, "it takes a text or a time"),
        Word::Pmt => {
            let whole = types.get(1).is_none_or(|t| matches!(t, Integer | Any));
            let principal = types.get(2).cloned().unwrap_or(Any);
            let typed = match principal {
                Number => Number,
                Any => Any,
                _ => Decimal,
            };
            check(
                types.iter().all(numeric) && whole,
                typed,
                "rate and principal are numbers, periods an integer",
            )
        }
        Word::Round | Word::Floor | Word::Ceil | Word::Abs => {
            let typed = if first == Typed::Literal { Number } else { first.clone() };
            check(types.iter().all(numeric), typed, "it takes a number")
        }
        Word::Min | Word::Max => {
            if let [List(of)] = types {
                return Ok(of.as_ref().clone().settled());
            }
            let joined = types.iter().cloned().reduce(Typed::either).unwrap_or(Any);
            // Each with each: a whole number goes with decimals and with numbers, but these do not go together.
            let comparable =
                types.iter().all(|t| types.iter().all(|other| other.compares(Operator::Less, t)));
            check(
                comparable,
                joined,
                "it takes values of one type; `money(x, 2)` gives a decimal, `number(x)` a number",
            )
        }
        Word::Sqrt | Word::Exp | Word::Ln | Word::Number => {
            check(numeric(&first), Number, "it takes a number")
        }
        Word::Money => {
            let places = types.get(1).is_none_or(|t| matches!(t, Integer | Any));
            check(numeric(&first) && places, Decimal, "it takes a number and how many decimals")
        }
        Word::ToText => check(!matches!(first, List(_) | Map(_)), Text, "it takes a plain value"),
        Word::Length => {
            check(textual(&first) || matches!(first, List(_) | Map(_)), Integer, "it takes a text or a list")
        }
        Word::Upper | Word::Lower | Word::Trim => check(textual(&first), Text, "it takes a text"),
        Word::StartsWith | Word::EndsWith => check(types.iter().all(textual), Boolean, "it takes two texts"),
        Word::Contains => check(
            textual(&first) || matches!(first, List(_) | Map(_)),
            Boolean,
            "it takes a list or a text, and an item",
        ),
    }
}
