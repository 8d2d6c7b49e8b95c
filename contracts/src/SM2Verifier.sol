// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ISM2Verifier} from "./interfaces/ISM2Verifier.sol";
import {SM2} from "./libraries/SM2.sol";
import {SM3} from "./libraries/SM3.sol";

/// @title See ISM2Verifier
/// @dev A precompile for SM2 has the shape of EIP-7951: input e ‖ r ‖ s ‖ x ‖ y, output the word 1 or nothing. One for SM3 has the
/// shape of SHA-256's: input the bytes, output the digest.
contract SM2Verifier is ISM2Verifier {
    bytes32 private constant ABC_DIGEST = 0x66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0;

    address private immutable _sm2;
    address private immutable _sm3;

    /// @param sm2 Address of an SM2 precompile, 0 to verify in the contract.
    /// @param sm3 Address of an SM3 precompile, 0 to hash in the contract.
    constructor(address sm2, address sm3) {
        if (sm2 != address(0)) _knownSignatures(sm2);
        if (sm3 != address(0) && _hashBy(sm3, "abc") != ABC_DIGEST) revert PrecompileRefused(sm3);
        (_sm2, _sm3) = (sm2, sm3);
    }

    /// @inheritdoc ISM2Verifier
    function verify(bytes32 e, bytes32 r, bytes32 s, bytes32 x, bytes32 y) external view returns (bool) {
        return _verify(e, r, s, x, y);
    }

    /// @inheritdoc ISM2Verifier
    function verifyMessage(bytes32 z, bytes calldata message, bytes32 r, bytes32 s, bytes32 x, bytes32 y)
        external
        view
        returns (bool valid, bytes32 e)
    {
        e = _hash(bytes.concat(z, message));
        valid = _verify(e, r, s, x, y);
    }

    /// @inheritdoc ISM2Verifier
    function hash(bytes calldata data) external view returns (bytes32) {
        return _hash(data);
    }

    /// @inheritdoc ISM2Verifier
    function hmac(bytes32 key, bytes calldata message) external view returns (bytes32) {
        bytes32 inner = _hash(bytes.concat(key ^ SM3.IPAD, SM3.IPAD, message));
        return _hash(bytes.concat(key ^ SM3.OPAD, SM3.OPAD, inner));
    }

    /// @inheritdoc ISM2Verifier
    function zOf(bytes32 x, bytes32 y) external view returns (bytes32) {
        return _hash(bytes.concat(SM2.zPrefix(), x, y));
    }

    /// @inheritdoc ISM2Verifier
    function isOnCurve(bytes32 x, bytes32 y) external pure returns (bool) {
        return SM2.isOnCurve(uint256(x), uint256(y));
    }

    function _verify(bytes32 e, bytes32 r, bytes32 s, bytes32 x, bytes32 y) private view returns (bool) {
        if (_sm2 != address(0)) return _verifyBy(_sm2, e, r, s, x, y);
        return SM2.verify(uint256(e), uint256(r), uint256(s), uint256(x), uint256(y));
    }

    function _hash(bytes memory data) private view returns (bytes32) {
        return _sm3 == address(0) ? SM3.hash(data) : _hashBy(_sm3, data);
    }

    function _verifyBy(address precompile, bytes32 e, bytes32 r, bytes32 s, bytes32 x, bytes32 y) private view returns (bool) {
        (bool success, bytes memory out) = precompile.staticcall(abi.encode(e, r, s, x, y));
        return success && out.length == 32 && uint256(bytes32(out)) == 1;
    }

    function _hashBy(address precompile, bytes memory data) private view returns (bytes32) {
        (bool success, bytes memory out) = precompile.staticcall(data);
        if (!success || out.length != 32) revert PrecompileRefused(precompile);
        return bytes32(out);
    }

    /// @dev A precompile must accept a good signature (that of GB/T 32918.5, annex A) and refuse the same over another digest.
    function _knownSignatures(address precompile) private view {
        bytes32 e = 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640;
        bytes32 r = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3;
        bytes32 s = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA;
        bytes32 x = 0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020;
        bytes32 y = 0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13;
        bool right = _verifyBy(precompile, e, r, s, x, y) && !_verifyBy(precompile, ~e, r, s, x, y);
        if (!right) revert PrecompileRefused(precompile);
    }
}
