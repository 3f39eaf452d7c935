// Prints the introspection query that graphql-js tools send, with every option on.
import { getIntrospectionQuery } from "graphql";

console.log(
  getIntrospectionQuery({
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true,
  }),
);
