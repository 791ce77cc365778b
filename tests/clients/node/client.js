// A Node client made by @grpc/proto-loader from what `tollgate proto` prints: decisions, a stream, an error. Usage: node client.js HOST:PORT CONTRACT.proto PROTO_FOLDER APPLICANTS.csv
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, contract, folder, data] = process.argv.slice(2);
const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
const load = (from, file) => grpc.loadPackageDefinition(loader.loadSync(file, { ...options, includeDirs: [from] }));
const insecure = grpc.credentials.createInsecure();

function applicants() {
  const [head, ...lines] = fs.readFileSync(data, "utf8").trim().split("\n");
  const names = head.split(",");
  return lines.map((line) => {
    const facts = {};
    line.split(",").forEach((value, at) => {
      if (names[at] === "outcome") return;
      if (names[at] === "amount") facts.amount = `${value}.00`;
      else facts[names[at]] = /^\d+$/.test(value) ? Number(value) : value;
    });
    return facts;
  });
}

const call = (client, method, request, metadata = new grpc.Metadata()) =>
  new Promise((resolve, reject) =>
    client[method](request, metadata, { deadline: Date.now() + 20_000 }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    ),
  );

function struct(facts) {
  const value = (one) => (typeof one === "number" ? { numberValue: one } : { stringValue: one });
  return { fields: Object.fromEntries(Object.entries(facts).map(([name, one]) => [name, value(one)])) };
}

async function main() {
  const { tollgate } = load(path.dirname(contract), path.basename(contract));
  const typed = new tollgate.flows.personal_loan.v1.PersonalLoan(address, insecure);
  const decisions = load(folder, "tollgate/v1/decisions.proto").tollgate.v1.Decisions;
  const untyped = new decisions(address, insecure);
  const rows = applicants();

  const outcomes = [];
  for (const facts of rows.slice(0, 25)) {
    const one = await call(typed, "Decide", { facts });
    const metadata = new grpc.Metadata();
    metadata.set("x-request-id", "from-node");
    const other = await call(untyped, "Decide", { flow: "personal_loan", facts: struct(facts) }, metadata);
    assert.strictEqual(one.outcome, other.outcome);
    assert.deepStrictEqual(one.reasons, other.reasons);
    assert.deepStrictEqual(one.scores, other.scores);
    assert.strictEqual(one.state, "STATE_DECIDED");
    outcomes.push(one.outcome);
  }
  console.log("ok Decide, typed and as a Struct");

  const replies = await new Promise((resolve, reject) => {
    const stream = typed.DecideStream();
    const all = [];
    stream.on("data", (reply) => all.push(reply));
    stream.on("error", reject);
    stream.on("end", () => resolve(all));
    rows.forEach((facts, at) => stream.write({ facts, reference: `row-${at}` }));
    stream.end();
  });
  assert.strictEqual(replies.length, rows.length);
  replies.forEach((reply, at) => assert.strictEqual(reply.decision.reference, `row-${at}`));
  outcomes.forEach((outcome, at) => assert.strictEqual(replies[at].decision.outcome, outcome));
  console.log(`ok DecideStream, ${replies.length} answers in order`);

  const wrong = { ...rows[0], amount: "a lot" };
  const refused = await call(typed, "Decide", { facts: wrong }).then(() => null, (error) => error);
  assert.strictEqual(refused.code, grpc.status.INVALID_ARGUMENT);
  assert.match(refused.metadata.get("grpc-status-details-bin")[0].toString("latin1"), /facts\.amount/);
  console.log("ok a problem with its field");
  console.log("all calls answered");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
