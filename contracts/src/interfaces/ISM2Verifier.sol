// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title SM2 signatures (GB/T 32918.2) and SM3 digests (GB/T 32905) for the other contracts
/// @notice Computed in the contract, or by the chain's precompiles where the constructor was given their addresses.
interface ISM2Verifier {
    /// @notice The address given as a precompile does not compute the function; found by known answers at construction.
    error PrecompileRefused(address precompile);

    /// @notice Whether r‖s is a signature by (x, y) of the digest e = SM3(Z ‖ message). False for any malformed input.
    function verify(bytes32 e, bytes32 r, bytes32 s, bytes32 x, bytes32 y) external view returns (bool);

    /// @notice Verifies over SM3(z ‖ message), and returns that digest.
    function verifyMessage(bytes32 z, bytes calldata message, bytes32 r, bytes32 s, bytes32 x, bytes32 y)
        external
        view
        returns (bool valid, bytes32 e);

    /// @notice SM3 of any bytes.
    function hash(bytes calldata data) external view returns (bytes32);

    /// @notice HMAC-SM3 under a key of one word (RFC 2104, GB/T 15852.2).
    function hmac(bytes32 key, bytes calldata message) external view returns (bytes32);

    /// @notice Z of a key with the user id 1234567812345678 (GB/T 32918.2, 5.5).
    function zOf(bytes32 x, bytes32 y) external view returns (bytes32);

    /// @notice Whether (x, y) is a point of the curve other than infinity, with both coordinates below p.
    function isOnCurve(bytes32 x, bytes32 y) external view returns (bool);
}
