const STORAGE_KEY = 'isthmus:api-key'

/** Headers by name, as the headers editor gives them. */
export type Headers = Record<string, string>

/**
 * Moves `#key=…` from the address bar into this tab's session storage.
 * A key given in the address replaces the one that the tab had.
 */
export function takeKeyFromAddress(): void {
  // A plus sign is a plus sign in a fragment, but a space to URLSearchParams.
  const fragment = new URLSearchParams(location.hash.slice(1).replaceAll('+', '%2B'))
  const key = fragment.get('key')
  if (key === null) return
  history.replaceState(null, '', location.pathname + location.search)
  if (key) sessionStorage.setItem(STORAGE_KEY, key)
  else sessionStorage.removeItem(STORAGE_KEY)
}

/** Headers of a request: the stored key, unless the editor names a key of its own. */
export function requestHeaders(edited: Headers): Headers {
  const key = sessionStorage.getItem(STORAGE_KEY)
  const ownKey = Object.keys(edited).some((name) => name.toLowerCase() === 'x-api-key')
  return key && !ownKey ? { 'X-API-Key': key, ...edited } : edited
}

/** The same credentials as the payload of `connection_init`; a browser's socket has no headers. */
export function socketPayload(edited: Headers): Record<string, string> {
  return Object.fromEntries(
    Object.entries(requestHeaders(edited)).map(([name, value]) => {
      const lower = name.toLowerCase()
      return [lower === 'x-api-key' ? 'apiKey' : lower, value]
    }),
  )
}
