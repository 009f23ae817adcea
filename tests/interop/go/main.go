// Command interop has go-oidc check every case of a case file, by nothing but the issuer's URL.
// It prints one line a case, never a token.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

type document struct {
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	Cases    []struct {
		Name    string   `json:"name"`
		Token   string   `json:"token"`
		Accept  bool     `json:"accept"`
		Sub     string   `json:"sub"`
		Reasons []string `json:"reasons"`
	} `json:"cases"`
}

// reason says what go-oidc's error means, in the words of the case file. Its errors but one have no type, so their
// texts decide; a text that stands here under no reason (a key set that can't be fetched, say) is no verdict.
func reason(err error) string {
	var expired *oidc.TokenExpiredError
	if errors.As(err, &expired) {
		return "expired"
	}
	for _, known := range []struct{ text, reason string }{
		{"fetching keys", ""},
		{"unexpected signature algorithm", "algorithm"},
		{"id token issued by a different provider", "issuer"},
		{"expected audience", "audience"},
		{"failed to verify id token signature", "signature"},
		{"malformed jwt", "malformed"},
	} {
		if strings.Contains(err.Error(), known.text) {
			return known.reason
		}
	}
	return ""
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: interop CASES_FILE")
	}
	content, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var cases document
	if err := json.Unmarshal(content, &cases); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	provider, err := oidc.NewProvider(ctx, cases.Issuer)
	if err != nil {
		log.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: cases.Audience})
	for _, c := range cases.Cases {
		token, err := verifier.Verify(ctx, c.Token)
		switch {
		case err == nil && c.Accept && token.Subject == c.Sub:
			fmt.Println("ok", c.Name)
		case err == nil && c.Accept:
			fmt.Printf("not ok %s: sub is %q, not %q\n", c.Name, token.Subject, c.Sub)
		case err == nil:
			fmt.Printf("not ok %s: accepted\n", c.Name)
		case !c.Accept && slices.Contains(c.Reasons, reason(err)):
			fmt.Println("ok", c.Name)
		case c.Accept:
			fmt.Printf("not ok %s: refused: %v\n", c.Name, err)
		default:
			fmt.Printf("not ok %s: not refused for %s: %v\n", c.Name, strings.Join(c.Reasons, " or "), err)
		}
	}
}
