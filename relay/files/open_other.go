//go:build !unix

package files

// openFlags are nothing where opening does not wait.
const openFlags = 0
