"""Fields that Python computes: SQL brings what they need, and they are put into the answer after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLObjectType, is_leaf_type

from app.graphql.compiler import declare
from app.graphql.compiler.declare import ComputedField, SqlType
from app.graphql.compiler.selection import Selected, Selections
from app.graphql.compiler.standins import StepsAside
from app.graphql.context import Context


@dataclass(frozen=True)
class Patch:
    """One computed field: where it stands in the answer (`*` for every item), and how it is made."""

    place: tuple[str, ...]
    of_type: SqlType
    python_name: str
    selected: Selected
    selections: Selections

    def __post_init__(self) -> None:
        definition = self.selected.definition
        if definition is None or definition.args:
            raise StepsAside(f"arguments of the field {self.selected.field_name}")

    def apply(self, data: Any, context: Context) -> None:
        """Compute the field wherever it stands in the answer's data."""
        self._apply(data, self.place, SimpleNamespace(context=context))

    def _apply(self, data: Any, place: Sequence[str], info: Any) -> None:
        step, *rest = place
        if data is None:
            return
        if step == "*":
            for item in data:
                self._apply(item, rest, info)
        elif rest:
            self._apply(data[step], rest, info)
        else:
            data[step] = self._value(data[step], info)

    def _value(self, needs: list[Any], info: Any) -> Any:
        declared = self.of_type.fields[self.python_name]
        assert isinstance(declared, ComputedField)
        values = {f"_{need.name}": value for need, value in zip(declared.needs, needs, strict=True)}
        row = declare.build_row(self.of_type, values)
        own = self.selected.definition.extensions["strawberry-definition"]  # type: ignore[union-attr]
        function = own.base_resolver.wrapped_func
        takes_info = "info" in function.__code__.co_varnames[: function.__code__.co_argcount]
        made = function(row, info) if takes_info else function(row)
        return self._plain(made, self.selected.definition.type, self.selected)  # type: ignore[union-attr]

    def _plain(self, value: Any, type_: Any, selected: Selected) -> Any:
        """A value as JSON has it, by its GraphQL type and what is selected below it."""
        if isinstance(type_, GraphQLNonNull):
            return self._plain(value, type_.of_type, selected)
        if value is None:
            return None
        if isinstance(type_, GraphQLList):
            return [self._plain(item, type_.of_type, selected) for item in value]
        if is_leaf_type(type_):
            return type_.serialize(value)
        assert isinstance(type_, GraphQLObjectType)
        return {
            one.name: self._member(value, type_, one)
            for one in self.selections.of(type_, selected.sets)
        }

    def _member(self, value: Any, type_: GraphQLObjectType, one: Selected) -> Any:
        if one.definition is None:
            return type_.name
        python_name = one.definition.extensions["strawberry-definition"].python_name
        return self._plain(getattr(value, python_name), one.definition.type, one)


Patches = Sequence[Patch]
Data = Mapping[str, Any]
