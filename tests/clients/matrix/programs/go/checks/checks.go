// Package checks prints the lines of programs/python/checks.py.
package checks

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

var Run = os.Getenv("MATRIX_RUN")

type Check struct {
	Name string
	Act  func()
}

func say(line map[string]any) {
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

// Main runs each check; the version is that of the module the program was built with.
func Main(client, module string, all []Check) {
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, one := range info.Deps {
			if one.Path == module {
				version = strings.TrimPrefix(one.Version, "v")
			}
		}
	}
	say(map[string]any{"client": client, "version": version})
	for _, one := range all {
		done := make(chan any, 1)
		go func() {
			defer func() { done <- recover() }()
			one.Act()
		}()
		var failed any
		select {
		case failed = <-done:
		case <-time.After(2 * Longest()):
			failed = fmt.Sprint("not within ", 2*Longest())
		}
		if failed == nil {
			say(map[string]any{"check": one.Name, "ok": true})
		} else {
			say(map[string]any{"check": one.Name, "failed": fmt.Sprint(failed)})
		}
	}
	os.Exit(0)
}

func Must(err error) {
	if err != nil {
		panic(err)
	}
}

func Equal(got, wanted any) {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		panic(fmt.Sprintf("%v, not %v", got, wanted))
	}
}

func Refused(err error) {
	if err == nil {
		panic("it was not refused")
	}
}

// Longest is how long a fact is waited for: an original takes its time to start again.
func Longest() time.Duration {
	if seconds, err := strconv.Atoi(os.Getenv("MATRIX_SECONDS")); err == nil {
		return time.Duration(seconds) * time.Second
	}
	return 30 * time.Second
}

func Until(what string, fact func() bool) {
	for end := time.Now().Add(Longest()); !fact(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			panic("not in time: " + what)
		}
	}
}

// Happen lets all connections be cut (kill), or the broker go and come back (restart).
func Happen(what string) {
	address := os.Getenv("MATRIX_CONTROL") + "/" + os.Getenv("MATRIX_PROTOCOL") + "/" + what
	answer, err := http.Get(address)
	Must(err)
	defer answer.Body.Close()
	Equal(answer.StatusCode, 200)
}

func TLS() *tls.Config {
	pem, err := os.ReadFile(os.Getenv("MOCKFORGE_TLS_CA"))
	Must(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool}
}

func URL(variable string) *url.URL {
	parsed, err := url.Parse(os.Getenv(variable))
	Must(err)
	return parsed
}
