import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit'
import { getOperationAST, parse, type DocumentNode } from 'graphql'
import { createClient } from 'graphql-ws'

import { requestHeaders, socketPayload, type Headers } from './credential'

const url = new URL(location.pathname, location.origin)
const socketUrl = new URL(url)
socketUrl.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'

/** Queries and mutations over HTTP, subscriptions over a socket, both at this page's own address. */
export const fetcher: Fetcher = (operation, options) => {
  const edited = (options?.headers ?? {}) as Headers
  // Made anew for each operation, since the editor may have other headers by then.
  // A socket opens with its first subscription and closes with its last.
  const send = createGraphiQLFetcher({
    url: url.href,
    enableIncrementalDelivery: false,
    wsClient: createClient({
      url: socketUrl.href,
      connectionParams: socketPayload(edited),
      retryAttempts: 0,
    }),
  })
  // GraphiQL's own notion of the operation lags behind the editor by some 100 ms: a subscription
  // run right after it was typed would go out as the query that stood there before.
  const documentAST = documentOf(operation.query)
  const chosen =
    documentAST &&
    (getOperationAST(documentAST, operation.operationName) ?? getOperationAST(documentAST))
  const operationName = chosen?.name?.value ?? operation.operationName
  const headers = { accept: 'application/graphql-response+json', ...requestHeaders(edited) }
  return send({ ...operation, operationName }, { ...options, headers, documentAST })
}

/** The parsed text; undefined where it does not parse, which the server then explains. */
function documentOf(text: string): DocumentNode | undefined {
  try {
    return parse(text)
  } catch {
    return undefined
  }
}
