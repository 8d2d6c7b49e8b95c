"""Refusals of consents."""

from __future__ import annotations

from core.errors import Conflict, Forbidden, Unprocessable


class NotYourConsent(Forbidden):
    """A message in another subject's name."""

    default_code = "not_your_consent"
    default_zh = "只能由本人签署自己的授权。"
    default_en = "Only the subject can sign a consent about themselves."


class WrongDomain(Unprocessable):
    """A message for another ledger or contract."""

    default_code = "wrong_domain"
    default_zh = "签名内容不是针对本账本的授权合约，请重新获取签名信息后再签。"
    default_en = "The signed message is for another ledger or contract. Prepare it again and sign."


class WrongNonce(Conflict):
    """Another act of the subject came first."""

    default_code = "wrong_nonce"
    default_zh = "此前已有另一项授权操作，序号已变为 {expected}。请重新获取签名信息后再签。"
    default_en = "Another act came first; the nonce is now {expected}. Prepare the message again and sign."


class TermsRefused(Unprocessable):
    """A period or reserved bits the ledger would refuse."""

    default_code = "terms_refused"
    default_zh = "授权期限无效：{detail}。请修改后重新签署。"
    default_en = "The consent's terms are not valid: {detail}. Change them and sign again."


class ArtefactMismatch(Unprocessable):
    """A sealed artefact of another consent, or not sealed for its subject."""

    default_code = "artefact_mismatch"
    default_zh = "密封凭证与所签授权不符，或未密封给本人。请重新密封后提交。"
    default_en = "The sealed artefact is not this consent's, or not sealed for the subject. Seal it again."


class ConsentKnown(Conflict):
    """A consent id that exists."""

    default_code = "consent_known"
    default_zh = "该授权编号已存在，请重新生成后签署。"
    default_en = "This consent id exists. Make a new one and sign."


class ConsentNotActive(Conflict):
    """Amending or revoking what is not in force."""

    default_code = "consent_not_active"
    default_zh = "该授权已不在生效中，请刷新后查看。"
    default_en = "This consent is no longer in force. Reload the list."


class LinkNotServed(Unprocessable):
    """A link as grantee: reading takes a credential, and a link has none, so the consent would open nothing."""

    default_code = "link_not_served"
    default_zh = "暂不支持把授权给“链接”：读取档案须持执业凭证。请改为授权给医生、机构或角色。"
    default_en = "A link cannot be a grantee yet: reading takes a credential. Grant to a practitioner, an organisation or a role."


class KeyMissing(Unprocessable):
    """A grantee the ledger holds no usable key for."""

    default_code = "grantee_unknown"
    default_zh = "账本上没有被授权方的有效密钥，无法授权给该对象。"
    default_en = "The ledger holds no valid key for the grantee, so nothing can be granted to it."
