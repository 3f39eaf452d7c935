"""`python -m tests.graphql.compiler.write_cases`: write the statements that the compiler makes now."""

from graphql.execution.values import VariableValues, get_variable_values
from strawberry import Schema

from app.graphql.documents import prepare
from app.graphql.limits import GraphQLSettings
from app.graphql.schema import build_schema
from tests.graphql.compiler.harness import CASES, Case, case_names

COMPILED = case_names()


def statement(schema: Schema, name: str) -> str:
    """What the compiler makes of a case."""
    case = Case(name)
    operation = prepare(schema, case.text("graphql"), GraphQLSettings()).operation(None)
    variables = get_variable_values(schema._schema, operation.variable_definitions, case.variables)
    assert isinstance(variables, VariableValues), variables
    plan = operation.plans.find(schema, operation.document, operation.name, variables, {})
    lines = (line.strip() for line in plan.text.splitlines())
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    made = build_schema()
    for each in COMPILED:
        (CASES / f"{each}.compiled.sql").write_text(statement(made, each))
