package embedded

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
)

// access is the one account. It keeps hashes: of equal length, they compare in constant time.
type access struct{ user, password [sha256.Size]byte }

func newAccess(user, password string) access {
	if user == "" {
		user = "default"
	}
	return access{sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))}
}

// check returns the engine's exception for wrong credentials. It does not say which half is wrong.
func (a access) check(user, password string) error {
	if user == "" {
		user = "default" // as ClickHouse does
	}
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	if subtle.ConstantTimeCompare(u[:], a.user[:])&
		subtle.ConstantTimeCompare(p[:], a.password[:]) == 1 {
		return nil
	}
	return exception(codeAuthenticationFailed, "%s: Authentication failed: password is incorrect,"+
		" or there is no user with such name", user)
}

// credentials finds user and password where ClickHouse's HTTP interface takes them: its own
// headers, basic authentication, the URL.
func credentials(r *http.Request) (user, password string) {
	user, password = r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
	if user != "" || password != "" {
		return user, password
	}
	if user, password, ok := r.BasicAuth(); ok {
		return user, password
	}
	q := r.URL.Query()
	return q.Get("user"), q.Get("password")
}
