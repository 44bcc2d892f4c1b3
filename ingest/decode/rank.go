package decode

// Ranks of the sources of a field: of several sources in one record, the one with the highest rank is used, in any order of reading. A
// source has a higher rank if it is more trusted or more specific.
const (
	rankAgentBaggage    uint8 = 1
	rankAgentClaudeCode uint8 = 5
	rankAgentLiteLLM    uint8 = 6
	rankAgentName       uint8 = 7
	rankAgentID         uint8 = 8
	rankAgentXID        uint8 = 9

	rankRunBaggage    uint8 = 1
	rankRunClaudeCode uint8 = 13
	rankRunAgentCore  uint8 = 14
	rankRunLiteLLM    uint8 = 15
	rankRunPlain      uint8 = 16
	rankRunXPlain     uint8 = 17
	rankRunAgent      uint8 = 18 // also of a mapping
	rankRunXAgent     uint8 = 19
	rankRunAttribute  uint8 = 20

	rankTaskBaggage uint8 = 1
	rankTaskXAgent  uint8 = 7
	rankTaskID      uint8 = 8 // also of a mapping
	rankTaskXID     uint8 = 9

	rankConversationMCP       uint8 = 3
	rankConversationInherited uint8 = 4 // of a parent span, or of Kong's MCP session
	rankConversationFramework uint8 = 5
	rankConversationThread    uint8 = 6
	rankConversationSession   uint8 = 7
	rankConversationMapped    uint8 = 8
	rankConversationNamed     uint8 = 9

	rankRequestVendor      uint8 = 7
	rankRequestCorrelation uint8 = 8
	rankRequestHeader      uint8 = 9
	rankRequestGateway     uint8 = 10

	rankTraceVendor uint8 = 7
	rankTraceParent uint8 = 8
	rankTraceLogged uint8 = 9
	rankTraceSpan   uint8 = 10 // of OTLP's own fields

	rankHostTarget        uint8 = 1
	rankHostServer        uint8 = 2
	rankHostServerAddress uint8 = 3
	rankHostHeader        uint8 = 4
	rankHostAuthority     uint8 = 5

	rankTargetURI      uint8 = 1
	rankTargetLine     uint8 = 2
	rankTargetURL      uint8 = 3
	rankTargetPath     uint8 = 4
	rankTargetOriginal uint8 = 5

	rankClientPeer      uint8 = 4
	rankClientRemote    uint8 = 6
	rankClientLogged    uint8 = 7
	rankClientAttribute uint8 = 8

	rankTimeShipper uint8 = 0
	rankTimeLine    uint8 = 1 // when the line was written
	rankTimeStart   uint8 = 9
)
