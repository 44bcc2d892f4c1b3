package redteam

import "strings"

// Attacks with amounts, and with an approval that is used for another call.
var moneyAttacks = concat(
	each("a yes for 60 by X-Amount, used %s", [][]string{
		{"for 999999", "POST /v1/payouts", "X-Amount: 999999", "X-Currency: EUR"},
		{"in another currency", "POST /v1/payouts", "X-Amount: 60", "X-Currency: KWD"},
		{"without an amount", "POST /v1/payouts", "X-Currency: EUR"},
		{"with two amounts", "POST /v1/payouts", "X-Amount: 60", "X-Amount: 999999", "X-Currency: EUR"},
	}, func(s []string) []Step {
		method, path, _ := strings.Cut(s[1], " ")
		ask := send(method, path, bot, "X-Agent-Run-Id: r@@", "X-Amount: 60", "X-Currency: EUR")
		return []Step{{Manifest: scoped}, {Asks: ask}, {Grant: true},
			must(refused, send(method, path, bot, append([]string{"X-Agent-Run-Id: r@@"}, s[2:]...)...)),
			must(passes, ask), must(denied, ask)}
	}),
	each("a yes for DELETE /v1/accounts/7?note=a, used for %s",
		[][]string{{"/v1/accounts/7?cascade=all"}, {"/v1/accounts/7"}, {"/v1/accounts/7?note=a&cascade=all"}, {"/v1/accounts/8?note=a"}},
		func(s []string) []Step {
			ask := send("DELETE", "/v1/accounts/7?note=a", bot, "X-Agent-Run-Id: r@@")
			return []Step{{Manifest: scoped}, {Asks: ask}, {Grant: true}, must(refused, send("DELETE", s[0], bot, "X-Agent-Run-Id: r@@")),
				must(passes, ask), must(denied, ask)}
		}),
	each("an amount that is not clear: %s", [][]string{
		{"two in the query", "/v1/transfers?amount=10&amount=100000&currency=EUR"},
		{"two currencies", "/v1/transfers?amount=10&currency=EUR&currency=KWD"},
		{"no currency", "/v1/transfers?amount=10"}, {"NaN", "/v1/transfers?amount=NaN&currency=EUR"},
		{"infinite", "/v1/transfers?amount=Inf&currency=EUR"},
		{"an exponent", "/v1/transfers?amount=1e9&currency=EUR"}, {"negative", "/v1/transfers?amount=-10&currency=EUR"},
		{"other digits", "/v1/transfers?amount=%D9%A1%D9%A0&currency=EUR"},
		{"too large", "/v1/transfers?amount=99999999999999999999999999&currency=EUR"},
		{"another case of the name", "/v1/transfers?Amount=100000&amount=10&currency=EUR"},
		{"semicolons", "/v1/transfers?amount=10;amount=100000&currency=EUR"},
	}, func(s []string) []Step {
		return []Step{{Manifest: scoped}, must(passes, send("POST", "/v1/transfers?amount=10&currency=EUR", bot)),
			must(refused, send("POST", s[1], bot))}
	}),
	each("an amount by header that is not clear: %s", [][]string{
		{"twice", "X-Amount: 10", "X-Amount: 100000", "X-Currency: EUR"}, {"a list", "X-Amount: 10, 100000", "X-Currency: EUR"},
		{"no currency", "X-Amount: 10"},
	}, func(s []string) []Step {
		return []Step{{Manifest: scoped}, must(refused, send("POST", "/v1/payouts", bot, s[1:]...))}
	}),
	each("an amount in the body that is not clear: %s", [][]string{
		{"twice", `{"amount":100000,"amount":10,"currency":"EUR"}`},
		{"twice, the small one first", `{"amount":10,"amount":100000,"currency":"EUR"}`},
		{"another case", `{"Amount":100000,"amount":10,"currency":"EUR"}`}, {"a list", `{"amount":[10],"currency":"EUR"}`},
		{"more after it", `{"amount":10,"currency":"EUR"}{"amount":100000}`},
		{"escaped name", `{"amount":10,"\u0061mount":100000,"currency":"EUR"}`},
		{"a body of 9 KB", `{"amount":10,"currency":"EUR","x":"` + strings.Repeat("x", 9000) + `"}`},
	}, func(s []string) []Step {
		return []Step{{Manifest: scoped}, must(refused, send("POST", "/v1/refunds", bot, "Content-Type: application/json").with(s[1]))}
	}),
	[]Attack{
		{Name: "a yes for 60 in the body, used with a body that is too long to be read",
			Only: []string{"check/grpc", "check/envoy", "envoy-grpc", "envoy-http"}, Steps: []Step{{Manifest: scoped},
				{Asks: refund(`{"amount":60,"currency":"EUR"}`)}, {Grant: true},
				must(refused, refund(`{"amount":61,"currency":"EUR"}`)),
				must(refused, refund(`{"amount":999999,"currency":"EUR","x":"`+strings.Repeat("x", 9000)+`"}`)),
				must(passes, refund(`{"amount":60,"currency":"EUR"}`))}},
		{Name: "a yes used by another run or caller", Steps: []Step{{Manifest: scoped},
			{Asks: send("DELETE", "/v1/accounts/7", bot, "X-Agent-Run-Id: r@@")}, {Grant: true},
			must(denied, send("DELETE", "/v1/accounts/7", bot, "X-Agent-Run-Id: other@@")),
			must(denied, send("DELETE", "/v1/accounts/7", bot)),
			must(passes, send("DELETE", "/v1/accounts/7", bot, "X-Agent-Run-Id: r@@"))}},
	},
)

func refund(body string) *Request {
	return send("POST", "/v1/refunds", bot, "X-Agent-Run-Id: r@@", "Content-Type: application/json").with(body)
}
