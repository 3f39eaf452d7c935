"""The demo's report: a job into the warehouse, a pipeline that reads its table, and one question to all."""

from importlib import resources

from app.cli import _demo_sync
from app.cli._demo_call import Caller, say

JOB = "orders_to_reports"
PIPELINE = "orders_report"
DESTINATION = {"type": "POSTGRES", "writer": {"warehouse": True, "schema": "reports"}}

QUESTION = """\
{
  syncJobs(where: {name: {eq: "orders_to_reports"}}) {
    nodes { name streams(where: {name: {eq: "orders"}}) { nodes { destinationTable rows } } }
  }
  pipeline(by: {uuid: "orders_report"}) {
    runs(first: 1) { nodes { number status } }
    project { leads(first: 1, where: {search: "storm"}) { totalCount nodes { title } } }
  }
  table { reported { revenue orders } }
}"""


def load(call: Caller) -> None:
    """Move the orders into a schema of the warehouse, and run the pipeline that sums them up."""
    _demo_sync.run(call, JOB, _demo_sync.job(call, JOB, "reports", "postgres", DESTINATION))
    block = {"name": "sum up days", "type": "data_loader", "content": _sql()}
    _demo_sync.run_sql(call, PIPELINE, {**block, "configuration": {"data_provider": "postgres"}})
    say(f"Pipeline {PIPELINE} read what the job had written, and made a table of days.")


def ask(call: Caller) -> None:
    """One document over everything; its answer."""
    found = call.graphql(QUESTION)
    stream = found["syncJobs"]["nodes"][0]["streams"]["nodes"][0]
    run = found["pipeline"]["runs"]["nodes"][0]
    leads = found["pipeline"]["project"]["leads"]
    (row,) = found["table"]
    say("\nOne GraphQL document over all of it:")
    say(f"  job {JOB}: table {stream['destinationTable']}, {stream['rows']} rows")
    say(f"  pipeline {PIPELINE}: run {run['number']} {run['status'].lower()}")
    sold = row["reported"]
    say(f"  model: {sold['orders']:.0f} orders, revenue {sold['revenue']:.2f}")
    say(
        f"  leads of the same project about storms: {leads['totalCount']}, {leads['nodes'][0]['title']}"
    )


def _sql() -> str:
    return (resources.files("examples.demo") / "sql" / "orders_report.sql").read_text()
