//! Problems as gRPC tells them: the code that REST's status stands for, and Google's error details with everything that
//! REST's body says. Absent on purpose: problems of its own.

use prost::Message as _;
use prost_types::{Any, Duration};
use tonic::codegen::Bytes;
use tonic::{Code as Rpc, Status};

use crate::http::problem::{At, Code, Problem};
use crate::wire::google::rpc;
use crate::wire::google::rpc::bad_request::FieldViolation;

/// Who says so, in `ErrorInfo`.
const DOMAIN: &str = "tollgate";

/// What a call gets when it gets no answer.
pub fn status(problem: &Problem, request_id: &str) -> Status {
    let message = message(problem, request_id);
    Status::with_details(rpc_code(problem.code()), problem.detail(), Bytes::from(message.encode_to_vec()))
}

/// The same as one message of a stream.
pub fn message(problem: &Problem, request_id: &str) -> rpc::Status {
    rpc::Status {
        code: rpc_code(problem.code()) as i32,
        message: problem.detail().to_owned(),
        details: details(problem, request_id),
    }
}

fn details(problem: &Problem, request_id: &str) -> Vec<Any> {
    let word = problem.code().facts().word;
    let metadata = [("code", word.to_owned()), ("help", format!("/docs/errors/{word}"))];
    let info = rpc::ErrorInfo {
        reason: word.to_ascii_uppercase(),
        domain: DOMAIN.to_owned(),
        metadata: metadata.map(|(name, value)| (name.to_owned(), value)).into(),
    };
    let mut details = vec![packed("ErrorInfo", &info)];
    if !problem.faults().is_empty() {
        let field_violations = problem.faults().iter().map(|fault| FieldViolation {
            field: field(&fault.at),
            description: fault.detail.clone(),
            reason: fault.code.to_ascii_uppercase(),
        });
        details.push(packed("BadRequest", &rpc::BadRequest { field_violations: field_violations.collect() }));
    }
    if let Some(seconds) = problem.retry_after_s() {
        let retry_delay = Some(Duration { seconds: i64::from(seconds), nanos: 0 });
        details.push(packed("RetryInfo", &rpc::RetryInfo { retry_delay }));
    }
    let request = rpc::RequestInfo { request_id: request_id.to_owned(), serving_data: String::new() };
    details.push(packed("RequestInfo", &request));
    details
}

fn packed(name: &str, message: &impl prost::Message) -> Any {
    Any { type_url: format!("type.googleapis.com/google.rpc.{name}"), value: message.encode_to_vec() }
}

/// `/facts/accounts/0/balance` → `facts.accounts[0].balance`.
fn field(at: &At) -> String {
    let pointer = match at {
        At::Pointer(pointer) => pointer,
        At::Header(name) => return name.to_ascii_lowercase(),
        At::Query(name) | At::Entry(name) => return name.clone(),
    };
    let mut field = String::new();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() {
            field.push('[');
            field.push_str(part);
            field.push(']');
            continue;
        }
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(&part.replace("~1", "/").replace("~0", "~"));
    }
    field
}

fn rpc_code(code: Code) -> Rpc {
    match code {
        Code::UnknownRoute => return Rpc::Unimplemented,
        Code::KeyReused => return Rpc::AlreadyExists,
        Code::AlreadyDecided | Code::DecisionExpired | Code::NotReplayable => return Rpc::FailedPrecondition,
        _ => {}
    }
    match code.facts().status.as_u16() {
        400 | 415 | 422 => Rpc::InvalidArgument,
        401 => Rpc::Unauthenticated,
        403 => Rpc::PermissionDenied,
        404 => Rpc::NotFound,
        405 | 501 => Rpc::Unimplemented,
        408 | 504 => Rpc::DeadlineExceeded,
        409 => Rpc::Aborted,
        410 => Rpc::FailedPrecondition,
        413 | 429 | 431 => Rpc::ResourceExhausted,
        503 => Rpc::Unavailable,
        _ => Rpc::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem::Fault;

    #[test]
    fn a_problem_says_over_grpc_all_that_it_says_over_rest() {
        let fault = |at: &str, code| Fault {
            at: At::Pointer(at.to_owned()),
            code,
            detail: "must be at least 0".to_owned(),
        };
        let problem = Problem::new(Code::InvalidFacts, "2 things are wrong")
            .with_faults(vec![fault("/facts/accounts/0/balance", "too_low"), fault("", "wrong_type")])
            .with_retry_after(3);
        let status = status(&problem, "r-1");
        assert_eq!((status.code(), status.message()), (Rpc::InvalidArgument, "2 things are wrong"));
        let told = rpc::Status::decode(status.details()).unwrap();
        let names: Vec<_> =
            told.details.iter().map(|detail| detail.type_url.rsplit('.').next().unwrap()).collect();
        assert_eq!(names, ["ErrorInfo", "BadRequest", "RetryInfo", "RequestInfo"]);
        let info = rpc::ErrorInfo::decode(&*told.details[0].value).unwrap();
        assert_eq!(
            (info.reason.as_str(), info.metadata["code"].as_str()),
            ("INVALID_FACTS", "invalid_facts")
        );
        let bad = rpc::BadRequest::decode(&*told.details[1].value).unwrap();
        let fields: Vec<_> =
            bad.field_violations.iter().map(|f| (f.field.as_str(), f.reason.as_str())).collect();
        assert_eq!(fields, [("facts.accounts[0].balance", "TOO_LOW"), ("", "WRONG_TYPE")]);
    }

    #[test]
    fn every_code_has_a_meaning_and_only_our_own_defects_are_internal() {
        for code in Code::ALL {
            assert_eq!(rpc_code(*code) == Rpc::Internal, *code == Code::Internal, "{code:?}");
        }
        assert_eq!(rpc_code(Code::NotRecorded), Rpc::Unavailable);
        assert_eq!(rpc_code(Code::DeadlineExceeded), Rpc::DeadlineExceeded);
    }
}
