// Package operator identifies people and tools by tokens of an OpenID Connect issuer: it reads the issuer's discovery document and
// keys, checks tokens, and signs people in at pages (authorization code with PKCE).
//
// It says who somebody is and in which groups. What a group may do is decided by package api. It answers no gateway: the check never
// waits for the issuer.
package operator
